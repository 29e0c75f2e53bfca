// Logger: structured lines, JSON or text, on stderr or in a file.
//
// A JSON line is one object: ts (UTC, ISO 8601), level, module, msg, then the fields. Secrets, keys
// and payloads are never fields.
//
// Whoever logs never waits: lines are queued, and written on a thread of the logger's own, in their
// order. When the queue is full, because the disk is or nobody reads stderr, lines are dropped, and
// a line at the place of the gap says how many.
#pragma once

#include <array>
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
#include "env/line_log.h"
#include "server/log_levels.h"
#include "server/log_ring.h"

namespace cairn::server {

enum class LogFormat { kAuto, kJson, kText };

// Errors: INVALID_ARGUMENT listing the names.
absl::StatusOr<LogFormat> ParseLogFormat(std::string_view name);
std::string_view LogFormatName(LogFormat format);

struct LogField {
  std::string_view name;
  std::variant<std::string, int64_t, double, bool> value;
};

// Of a text that is longer than this the beginning is logged, with "..." behind it: bounds what a
// full queue takes.
inline constexpr size_t kMaxLogTextBytes = 4096;

struct LogOptions {
  LogLevels levels = LogLevel::kInfo;
  LogFormat format = LogFormat::kAuto;  // kAuto: text when stderr is a terminal, otherwise JSON
  std::string file;                     // "": stderr
  // Lines that wait: a second of 16,000 RPCs with lines of their own; some 5 MB.
  size_t max_queued = 16'384;
};

// Thread-safe.
class Logger {
 public:
  // Opens the file, or makes it (mode 0600). Blocking. Errors: those of the file system. When the
  // file cannot be written later, stderr is told.
  static absl::StatusOr<std::unique_ptr<Logger>> Open(LogOptions options);
  // As Open without a file, to another descriptor, which outlives the logger.
  static std::unique_ptr<Logger> ToDescriptor(int descriptor, LogOptions options);
  // For tests: without a queue. `stream` outlives the logger.
  static std::unique_ptr<Logger> ToStream(std::ostream& stream, LogLevels levels, LogFormat format);
  // Writes what is queued; what cannot be written, or is not read, is dropped.
  ~Logger();

  bool Enabled(LogModule module, LogLevel level) const {
    return level >= levels_[static_cast<size_t>(module)].load(std::memory_order_relaxed);
  }
  void SetLevels(const LogLevels& levels);
  // Strings may hold any bytes: what is not UTF-8 is replaced in JSON, and control characters are
  // escaped.
  void Log(LogModule module, LogLevel level, std::string_view message,
           std::span<const LogField> fields);
  void Log(LogModule module, LogLevel level, std::string_view message,
           std::initializer_list<LogField> fields = {}) {
    Log(module, level, message, std::span<const LogField>(fields.begin(), fields.size()));
  }

  // Opens the file again, after somebody has renamed it.
  void Reopen();
  // For an end of the process without the destructor: waits until everything is written, kFlushMs
  // at most. On the logger's own thread it does not wait.
  static constexpr int64_t kFlushMs = 1000;
  void Flush();

  env::LineCounters counters() const;

  // The last lines that were logged, whether they could be written or not, as they were formatted.
  std::string LastLines() const { return ring_.Text(); }

 private:
  class Output;
  class StreamOutput;
  class QueueOutput;
  Logger(const LogLevels& levels, std::unique_ptr<Output> output);

  std::array<std::atomic<LogLevel>, kLogModules> levels_;
  LogRing ring_;
  const std::unique_ptr<Output> output_;
};

}  // namespace cairn::server
