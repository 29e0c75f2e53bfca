// Logger: structured lines on stderr: JSON, or text on a terminal.
//
// A JSON line is one object: ts (UTC, ISO 8601), level, msg, then the fields. Secrets, keys and
// payloads are never fields.
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "absl/status/statusor.h"

namespace cairn::server {

enum class LogLevel { kDebug, kInfo, kWarn, kError };
enum class LogFormat { kAuto, kJson, kText };

// Errors: INVALID_ARGUMENT listing the names.
absl::StatusOr<LogLevel> ParseLogLevel(std::string_view name);
absl::StatusOr<LogFormat> ParseLogFormat(std::string_view name);
std::string_view LogLevelName(LogLevel level);
std::string_view LogFormatName(LogFormat format);

struct LogField {
  std::string_view name;
  std::variant<std::string, int64_t, double, bool> value;
};

// Thread-safe.
class Logger {
 public:
  // kAuto means text when stderr is a terminal and JSON otherwise.
  static std::unique_ptr<Logger> ToStderr(LogLevel level, LogFormat format);
  // For tests; `stream` outlives the logger.
  static std::unique_ptr<Logger> ToStream(std::ostream& stream, LogLevel level, LogFormat format);
  ~Logger();

  bool Enabled(LogLevel level) const { return level >= level_.load(std::memory_order_relaxed); }
  void SetLevel(LogLevel level) { level_.store(level, std::memory_order_relaxed); }
  // Strings may hold any bytes: what is not UTF-8 is replaced in JSON, and control characters are
  // escaped.
  void Log(LogLevel level, std::string_view message, std::span<const LogField> fields);
  void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {}) {
    Log(level, message, std::span<const LogField>(fields.begin(), fields.size()));
  }

 private:
  class Sink;
  Logger(LogLevel level, LogFormat format, std::unique_ptr<Sink> sink);

  std::atomic<LogLevel> level_;
  const LogFormat format_;
  std::unique_ptr<Sink> sink_;
};

}  // namespace cairn::server
