// Strict reading of JSON: every member known, present, of the right type and in its range. For the
// .cc files of this folder only; no other header shows JSON.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/types.h"
#include "base/uuid.h"

namespace cairn::cluster {

// Written in the order of the code, so that equal values give equal bytes.
using Json = nlohmann::ordered_json;

// `json` as text. Bytes that are not UTF-8 are replaced: they never get past validation anyway.
std::string ToText(const Json& json);

// The object that is `text`. `what` names it in errors. Errors: INVALID_ARGUMENT.
absl::StatusOr<Json> ParseObject(std::string_view text, std::string_view what);

// Reads the members of one object. The first error wins and is kept in the status that all readers
// of a document share; after it everything reads as zero or empty, so a caller checks once, at the
// end. Errors: INVALID_ARGUMENT with the path of the member ("nodes[2].rack"); UNIMPLEMENTED for a
// member that nothing asked for: a newer program wrote it, and ignoring it would mean to diverge.
class FieldReader {
 public:
  FieldReader(const Json& json, std::string path, absl::Status& status);

  bool Has(const char* key);
  int64_t Integer(const char* key, int64_t low, int64_t high);
  std::string Text(const char* key);
  base::Uuid Id(const char* key);
  NodeId Node(const char* key);  // from 1
  std::vector<NodeId> Nodes(const char* key);
  // The elements of an array, each with the path for its own reader; at most `limit`.
  std::vector<std::pair<const Json*, std::string>> Array(const char* key, size_t limit);
  // For an element of Array.
  FieldReader Element(const Json& element, std::string path) {
    return FieldReader(element, std::move(path), status_);
  }
  FieldReader Object(const char* key);

  // Call last: complains about members that were not asked for.
  void Finish();
  // For what a caller finds wrong with a value.
  void Fail(const char* key, std::string_view why);
  // UNIMPLEMENTED: the member has a value that only a newer program knows.
  void FailUnknown(const char* key, std::string_view value);
  bool ok() const { return status_.ok(); }

 private:
  std::string PathOf(std::string_view key) const;
  const Json* Find(const char* key, std::string_view kind);

  const Json& json_;
  const std::string path_;
  absl::Status& status_;
  std::set<std::string, std::less<>> asked_;
};

}  // namespace cairn::cluster
