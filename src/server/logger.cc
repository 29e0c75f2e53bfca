#include "server/logger.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/strings.h"

namespace cairn::server {
namespace {

constexpr std::array<std::string_view, 4> kLevels = {"debug", "info", "warn", "error"};
constexpr std::array<std::string_view, 3> kFormats = {"auto", "json", "text"};

template <typename Enum, size_t kCount>
absl::StatusOr<Enum> ParseName(const std::array<std::string_view, kCount>& names,
                               std::string_view name) {
  std::string known;
  for (size_t i = 0; i < kCount; ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
    known += base::StrCat(i == 0 ? "" : i + 1 == kCount ? " or " : ", ", names[i]);
  }
  return absl::InvalidArgumentError(base::StrCat("\"", name, "\" is not one of ", known));
}

std::string Now() {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", absl::Now(), absl::UTCTimeZone());
}

std::string JsonLine(LogLevel level, std::string_view message, std::span<const LogField> fields) {
  nlohmann::ordered_json line;
  line["ts"] = Now();
  line["level"] = LogLevelName(level);
  line["msg"] = message;
  for (const LogField& field : fields) {
    std::visit([&](const auto& value) { line[std::string(field.name)] = value; }, field.value);
  }
  return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

struct ToText {
  std::string operator()(const std::string& text) const {
    const bool plain = !text.empty() && text.find_first_of(" \"=") == std::string::npos;
    const std::string escaped = absl::Utf8SafeCHexEscape(text);
    return plain ? escaped : "\"" + escaped + "\"";
  }
  std::string operator()(int64_t value) const { return base::StrCat(value); }
  std::string operator()(double value) const { return base::StrCat(value); }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
};

std::string TextLine(LogLevel level, std::string_view message, std::span<const LogField> fields) {
  std::string line =
      base::StrCat(Now(), " ", LogLevelName(level), level == LogLevel::kInfo ? "  " : " ",
                   absl::Utf8SafeCHexEscape(base::AbslView(message)));
  for (const LogField& field : fields) {
    line += base::StrCat("  ", field.name, "=", std::visit(ToText(), field.value));
  }
  return line;
}

}  // namespace

absl::StatusOr<LogLevel> ParseLogLevel(std::string_view name) {
  return ParseName<LogLevel>(kLevels, name);
}
absl::StatusOr<LogFormat> ParseLogFormat(std::string_view name) {
  return ParseName<LogFormat>(kFormats, name);
}
std::string_view LogLevelName(LogLevel level) { return kLevels[static_cast<size_t>(level)]; }
std::string_view LogFormatName(LogFormat format) { return kFormats[static_cast<size_t>(format)]; }

class Logger::Sink {
 public:
  explicit Sink(spdlog::sink_ptr sink) : logger_("cairn", std::move(sink)) {
    logger_.set_level(spdlog::level::trace);  // Logger has filtered already
    logger_.set_pattern("%v");
  }
  void Write(const std::string& line) {
    logger_.log(spdlog::level::info, spdlog::string_view_t(line));
    logger_.flush();
  }

 private:
  spdlog::logger logger_;
};

Logger::Logger(LogLevel level, LogFormat format, std::unique_ptr<Sink> sink)
    : level_(level), format_(format), sink_(std::move(sink)) {}
Logger::~Logger() = default;

std::unique_ptr<Logger> Logger::ToStderr(LogLevel level, LogFormat format) {
  if (format == LogFormat::kAuto) {
    format = isatty(STDERR_FILENO) != 0 ? LogFormat::kText : LogFormat::kJson;
  }
  return std::unique_ptr<Logger>(new Logger(
      level, format, std::make_unique<Sink>(std::make_shared<spdlog::sinks::stderr_sink_mt>())));
}

std::unique_ptr<Logger> Logger::ToStream(std::ostream& stream, LogLevel level, LogFormat format) {
  return std::unique_ptr<Logger>(
      new Logger(level, format,
                 std::make_unique<Sink>(std::make_shared<spdlog::sinks::ostream_sink_mt>(stream))));
}

void Logger::Log(LogLevel level, std::string_view message, std::span<const LogField> fields) {
  if (!Enabled(level)) return;
  sink_->Write(format_ == LogFormat::kText ? TextLine(level, message, fields)
                                           : JsonLine(level, message, fields));
}

}  // namespace cairn::server
