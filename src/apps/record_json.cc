#include "apps/record_json.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "base/json_bytes.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace cairn::apps {
namespace {

using Json = nlohmann::json;

template <typename Number>
void AppendNumber(Number number, std::string& out) {
  char text[24];
  out.append(text, std::to_chars(text, text + sizeof(text), number).ptr);
}

absl::Status WrongField(std::string_view name, std::string_view expected) {
  return absl::InvalidArgumentError(base::StrCat("field \"", name, "\" is not ", expected));
}

// Reads `name` or `name`_base64 of `object` into `bytes`.
absl::Status TakeBytes(const Json& object, const std::string& name,
                       std::optional<std::string>& bytes) {
  bytes.reset();
  if (const auto text = object.find(name); text != object.end() && !text->is_null()) {
    if (!text->is_string()) return WrongField(name, "a string");
    bytes = text->get<std::string>();
  } else if (const auto base64 = object.find(name + "_base64"); base64 != object.end()) {
    bytes.emplace();
    if (!base64->is_string() || !absl::Base64Unescape(base64->get<std::string>(), &*bytes)) {
      return WrongField(name + "_base64", "base64");
    }
  }
  return absl::OkStatus();
}

}  // namespace

void AppendJson(const ConsumedRecord& record, int32_t partition, std::string& out) {
  out += '{';
  if (partition >= 0) {
    out += "\"partition\":";
    AppendNumber(partition, out);
    out += ',';
  }
  out += "\"offset\":";
  AppendNumber(record.offset, out);
  out += ",\"timestamp_ms\":";
  AppendNumber(record.timestamp_ms, out);
  if (record.key) {
    out += ',';
    base::AppendJsonBytes("key", record.key, out);
  }
  out += ',';
  base::AppendJsonBytes("value", record.value, out);
  if (!record.headers.empty()) {
    out += ",\"headers\":[";
    for (const Header& header : record.headers) {
      if (out.back() != '[') out += ',';
      out += '{';
      base::AppendJsonBytes("name", header.name, out);
      out += ',';
      base::AppendJsonBytes("value", header.value, out);
      out += '}';
    }
    out += ']';
  }
  out += "}\n";
}

absl::Status JsonRecord::Parse(std::string_view line) {
  const Json object = Json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) {
    return absl::InvalidArgumentError(R"(expected one JSON object, as in {"key":"k","value":"v"})");
  }
  CAIRN_RETURN_IF_ERROR(TakeBytes(object, "key", key_));
  CAIRN_RETURN_IF_ERROR(TakeBytes(object, "value", value_));
  owned_headers_.clear();
  if (const auto headers = object.find("headers"); headers != object.end()) {
    if (!headers->is_array()) return WrongField("headers", "an array");
    for (const Json& item : *headers) {
      if (!item.is_object()) return WrongField("headers", "an array of objects");
      std::optional<std::string> name;
      std::optional<std::string> value;
      CAIRN_RETURN_IF_ERROR(TakeBytes(item, "name", name));
      CAIRN_RETURN_IF_ERROR(TakeBytes(item, "value", value));
      if (!name) return WrongField("headers", "an array of objects with a name");
      owned_headers_.push_back({.name = *std::move(name), .value = std::move(value)});
    }
  }
  int64_t timestamp_ms = 0;
  if (const auto timestamp = object.find("timestamp_ms"); timestamp != object.end()) {
    if (!timestamp->is_number_integer()) return WrongField("timestamp_ms", "an integer");
    timestamp_ms = timestamp->get<int64_t>();
  }
  headers_.clear();
  for (const OwnedHeader& header : owned_headers_) {
    headers_.push_back({.name = header.name, .value = header.value});
  }
  record_ = {.key = key_, .value = value_, .headers = headers_, .timestamp_ms = timestamp_ms};
  return absl::OkStatus();
}

}  // namespace cairn::apps
