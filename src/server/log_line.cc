#include "server/log_line.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/time/time.h"
#include "base/strings.h"

namespace cairn::server {
namespace {

std::string TimeText(int64_t time_us) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", absl::FromUnixMicros(time_us),
                          absl::UTCTimeZone());
}

std::string Shortened(std::string_view text) {
  if (text.size() <= kMaxLogTextBytes) return std::string(text);
  return base::StrCat(text.substr(0, kMaxLogTextBytes), "...");
}

struct ToJson {
  nlohmann::ordered_json operator()(const std::string& text) const { return Shortened(text); }
  nlohmann::ordered_json operator()(auto value) const { return value; }
};

std::string JsonLine(const LogLine& line) {
  nlohmann::ordered_json json;
  json["ts"] = TimeText(line.time_us);
  json["level"] = ToString(line.level);
  json["module"] = ToString(line.module);
  json["msg"] = Shortened(line.message);
  for (const LogField& field : line.fields) {
    json[std::string(field.name)] = std::visit(ToJson(), field.value);
  }
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

struct ToText {
  std::string operator()(const std::string& text) const {
    const bool plain = !text.empty() && text.find_first_of(" \"=") == std::string::npos;
    const std::string escaped = absl::Utf8SafeCHexEscape(Shortened(text));
    return plain ? escaped : "\"" + escaped + "\"";
  }
  std::string operator()(int64_t value) const { return base::StrCat(value); }
  std::string operator()(double value) const { return base::StrCat(value); }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
};

std::string TextLine(const LogLine& line) {
  std::string level(ToString(line.level));
  level.resize(6, ' ');
  std::string module(ToString(line.module));
  module.resize(std::max<size_t>(module.size() + 1, 9), ' ');
  std::string text = base::StrCat(TimeText(line.time_us), " ", level, module,
                                  absl::Utf8SafeCHexEscape(Shortened(line.message)));
  for (const LogField& field : line.fields) {
    text += base::StrCat("  ", field.name, "=", std::visit(ToText(), field.value));
  }
  return text;
}

}  // namespace

std::string FormatLogLine(const LogLine& line, LogFormat format) {
  return (format == LogFormat::kText ? TextLine(line) : JsonLine(line)) + "\n";
}

}  // namespace cairn::server
