// The query of a request: "topic=orders&offset=7", decoded and checked.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cairn::http {

// A value. Names and values are decoded as forms are (https://url.spec.whatwg.org, section 5.1):
// "%41" and "+" for a space; but what is malformed is refused instead of guessed at.
class Query {
 public:
  // Errors: INVALID_ARGUMENT for a '%' without two hexadecimal digits, and for a parameter that
  // comes twice or is none of `known`; it says which.
  static absl::StatusOr<Query> Parse(std::string_view query,
                                     std::span<const std::string_view> known);

  // nullptr when it is not there. Lives as long as the query.
  const std::string* Find(std::string_view name) const;

  // The number that `name` has, in decimal; `otherwise` when it is not there. Errors:
  // INVALID_ARGUMENT when it is no number in [least, most].
  absl::StatusOr<int64_t> Number(std::string_view name, int64_t otherwise, int64_t least,
                                 int64_t most) const;

 private:
  std::map<std::string, std::string, std::less<>> parameters_;
};

}  // namespace cairn::http
