// The right sides of Casbin's matching functions, compiled: keyMatch2 to 5, keyGet2 and 3,
// regexMatch, globMatch and ipMatch. Regular expressions are RE2's: linear in the text, bounded in
// memory. A Pattern is immutable; any thread. (keyMatch and keyGet compare texts and need none; see
// evaluator.cc.)
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "security/casbin/function.h"

namespace cairn::security::casbin {

class Pattern {
 public:
  virtual ~Pattern() = default;

  // `function` is one that needs a pattern. Errors: INVALID_ARGUMENT saying what is wrong with
  // `text`.
  static absl::StatusOr<std::unique_ptr<const Pattern>> Compile(Function function,
                                                                std::string_view text);

  // Whether `text` matches; nullopt when it is nothing that can be asked about (ipMatch: no
  // address).
  virtual std::optional<bool> Matches(std::string_view text) const = 0;

  // keyGet2 and keyGet3: the part of `text` that `name` stands for, "" when it does not match or
  // has no such name. A view into `text`.
  virtual std::string_view Get(std::string_view text, std::string_view name) const;

  // True for what counts towards kMaxRegexes.
  virtual bool is_regex() const { return false; }
};

}  // namespace cairn::security::casbin
