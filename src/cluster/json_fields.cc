#include "cluster/json_fields.h"

#include <utility>

#include "base/strings.h"
#include "consensus/configuration.h"

namespace cairn::cluster {

std::string ToText(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::StatusOr<Json> ParseObject(std::string_view text, std::string_view what) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return absl::InvalidArgumentError(base::StrCat(what, " is not a JSON object"));
  }
  return json;
}

FieldReader::FieldReader(const Json& json, std::string path, absl::Status& status)
    : json_(json), path_(std::move(path)), status_(status) {
  if (!json_.is_object() && status_.ok()) {
    status_ = absl::InvalidArgumentError(base::StrCat(path_, " is not an object"));
  }
}

std::string FieldReader::PathOf(std::string_view key) const {
  return path_.empty() ? std::string(key) : base::StrCat(path_, ".", key);
}

void FieldReader::Fail(const char* key, std::string_view why) {
  if (status_.ok()) status_ = absl::InvalidArgumentError(base::StrCat(PathOf(key), " ", why));
}

void FieldReader::FailUnknown(const char* key, std::string_view value) {
  if (!status_.ok()) return;
  status_ = absl::UnimplementedError(base::StrCat(
      PathOf(key), " is \"", value, "\", which this program does not know; a newer one wrote it"));
}

bool FieldReader::Has(const char* key) {
  asked_.insert(key);
  return status_.ok() && json_.contains(key);
}

const Json* FieldReader::Find(const char* key, std::string_view kind) {
  if (!Has(key)) {
    Fail(key, "is missing");
    return nullptr;
  }
  const Json& value = json_[key];
  const bool right = kind == "an integer"  ? value.is_number_integer()
                     : kind == "a text"    ? value.is_string()
                     : kind == "an array"  ? value.is_array()
                     : kind == "an object" ? value.is_object()
                                           : false;
  if (right) return &value;
  Fail(key, base::StrCat("is not ", kind));
  return nullptr;
}

int64_t FieldReader::Integer(const char* key, int64_t low, int64_t high) {
  const Json* value = Find(key, "an integer");
  if (value == nullptr) return 0;
  // Above INT64_MAX the parser makes it unsigned, and get<int64_t> would wrap.
  const bool fits = !value->is_number_unsigned() || value->get<uint64_t>() <= INT64_MAX;
  const int64_t number = fits ? value->get<int64_t>() : 0;
  if (!fits || number < low || number > high) {
    Fail(key, base::StrCat("is ", value->dump(), ", expected ", low, " to ", high));
    return 0;
  }
  return number;
}

std::string FieldReader::Text(const char* key) {
  const Json* value = Find(key, "a text");
  return value == nullptr ? std::string() : value->get<std::string>();
}

base::Uuid FieldReader::Id(const char* key) {
  const std::string text = Text(key);
  if (!status_.ok()) return {};
  const auto id = base::Uuid::Parse(text);
  if (id.ok()) return *id;
  Fail(key, base::StrCat("is not a UUID: ", base::StdView(id.status().message())));
  return {};
}

NodeId FieldReader::Node(const char* key) {
  return NodeId(static_cast<int32_t>(Integer(key, 1, INT32_MAX)));
}

std::vector<NodeId> FieldReader::Nodes(const char* key) {
  std::vector<NodeId> nodes;
  const Json* value = Find(key, "an array");
  if (value == nullptr) return nodes;
  if (value->size() > consensus::kMaxMembers) {
    Fail(key, base::StrCat("has ", value->size(), " nodes, more than ", consensus::kMaxMembers));
    return nodes;
  }
  for (const Json& node : *value) {
    const bool good =
        node.is_number_integer() && node.get<int64_t>() >= 1 && node.get<int64_t>() <= INT32_MAX;
    if (!good) {
      Fail(key, base::StrCat("names ", ToText(node), ", which is no node id"));
      return {};
    }
    nodes.emplace_back(node.get<int32_t>());
  }
  return nodes;
}

std::vector<std::pair<const Json*, std::string>> FieldReader::Array(const char* key, size_t limit) {
  std::vector<std::pair<const Json*, std::string>> elements;
  const Json* value = Find(key, "an array");
  if (value == nullptr) return elements;
  if (value->size() > limit) {
    Fail(key, base::StrCat("has ", value->size(), " elements, more than ", limit));
    return elements;
  }
  for (size_t i = 0; i < value->size(); ++i) {
    elements.emplace_back(&(*value)[i], base::StrCat(PathOf(key), "[", i, "]"));
  }
  return elements;
}

FieldReader FieldReader::Object(const char* key) {
  static const Json empty = Json::object();
  const Json* value = Find(key, "an object");
  return FieldReader(value == nullptr ? empty : *value, PathOf(key), status_);
}

void FieldReader::Finish() {
  if (!status_.ok()) return;
  for (const auto& [key, value] : json_.items()) {
    if (asked_.contains(key)) continue;
    status_ = absl::UnimplementedError(
        base::StrCat(PathOf(key), " is not known to this program; a newer one wrote it"));
    return;
  }
}

}  // namespace cairn::cluster
