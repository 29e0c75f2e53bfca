#include "apps/record_json.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace cairn::apps {
namespace {

using Json = nlohmann::json;

// Length of the UTF-8 sequence at the start of `text` (RFC 3629, section 4), or 0 when there is
// none.
size_t Utf8Length(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  const bool out_of_range =
      (first == 0xed && byte(1) >= 0xa0) || (first == 0xf4 && byte(1) >= 0x90);
  return overlong || out_of_range ? 0 : length;
}

void AppendEscaped(unsigned char byte, std::string& out) {
  switch (byte) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\r':
      out += "\\r";
      return;
    default: {
      constexpr char kHex[] = "0123456789abcdef";
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
}

// Appends `bytes` as a JSON string without quotes. False, with `out` as it was, when they are not
// UTF-8.
bool AppendUtf8(std::string_view bytes, std::string& out) {
  const size_t before = out.size();
  size_t run = 0;  // start of what can be copied as it is
  for (size_t i = 0; i < bytes.size();) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    if (byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\') {
      ++i;
      continue;
    }
    const size_t length = Utf8Length(bytes.substr(i));
    if (length == 0) {
      out.resize(before);
      return false;
    }
    if (length == 1) {
      out.append(bytes.substr(run, i - run));
      if (byte == 0x7f) {
        out += static_cast<char>(byte);
      } else {
        AppendEscaped(byte, out);
      }
      run = i + 1;
    }
    i += length;
  }
  out.append(bytes.substr(run));
  return true;
}

// Appends `"name":"…"`, or `"name_base64":"…"`, or `"name":null`.
void AppendField(std::string_view name, const std::optional<std::string_view>& bytes,
                 std::string& out) {
  const size_t before = out.size();
  out.append("\"").append(name).append("\":");
  if (!bytes) {
    out += "null";
    return;
  }
  out += '"';
  if (!AppendUtf8(*bytes, out)) {
    out.resize(before);
    out.append("\"").append(name).append("_base64\":\"");
    out += absl::Base64Escape(base::AbslView(*bytes));
  }
  out += '"';
}

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
    AppendField("key", record.key, out);
  }
  out += ',';
  AppendField("value", record.value, out);
  if (!record.headers.empty()) {
    out += ",\"headers\":[";
    for (const Header& header : record.headers) {
      if (out.back() != '[') out += ',';
      out += '{';
      AppendField("name", header.name, out);
      out += ',';
      AppendField("value", header.value, out);
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
