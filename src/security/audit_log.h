// Who was let in and who was not: decisions of authorisation, as lines of JSON in a file.
//
//   {"time":"2026-11-29T06:00:00.123Z","subject":"alice","address":"10.0.0.7:40112",
//    "action":"produce","object":"orders","allowed":false,"rule":"denied: no rule allows it"}
//   {"time":"2026-11-29T06:00:01.500Z","dropped":17}                       (each on one line)
//
// Sits between whoever decides (any thread) and a file, as a LineLog: Record queues and never waits
// for the disk, and where records had to be dropped a line says how many.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "env/executor.h"
#include "env/file_system.h"
#include "env/line_log.h"

namespace cairn::security {

// One decision. Texts may hold any bytes: what is no UTF-8 is written as U+FFFD, and of a text that
// is longer than kMaxAuditTextBytes the beginning is, with "..." behind it.
struct AuditRecord {
  int64_t time_ms = 0;  // since 1970
  std::string subject;
  std::string address;  // of the peer
  std::string action;
  std::string object;
  bool allowed = false;
  std::string rule;  // what decided, as Enforcer::Explain says it
};

// Longer than every subject (64 bytes), topic and rule that a person wrote; bounds what a full
// queue takes.
inline constexpr size_t kMaxAuditTextBytes = 1024;

enum class AuditedDecisions { kDenials, kAll };

using AuditSync = env::LineSync;

struct AuditLogOptions {
  std::string path;
  AuditedDecisions which = AuditedDecisions::kDenials;
  // Records that wait, those being written included; further ones are dropped. Over half a second
  // of denials at 100,000 a second; some 20 MB with usual names.
  size_t max_queued = 65'536;
  AuditSync sync = AuditSync::kInterval;
};

using AuditCounters = env::LineCounters;  // of records

// Record, Reopen and counters are thread-safe. Ends with Stop.
class AuditLog {
 public:
  // Told of the first failure, and again of the first after the file could be written. Runs on the
  // executor.
  using OnError = std::function<void(absl::Status)>;

  // Opens the file, or creates it (mode 0600). Blocking. `fs` and `executor` outlive the log.
  // Errors: INVALID_ARGUMENT for options without a path or with a queue of 0; those of the file
  // system.
  static absl::StatusOr<std::unique_ptr<AuditLog>> Open(env::FileSystem& fs,
                                                        env::Executor& executor,
                                                        AuditLogOptions options, OnError on_error);

  // After the `done` of Stop has begun, or when the executor runs no more tasks.
  ~AuditLog() = default;
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  // Queues a record, or drops and counts it, as LineLog::Add; leaves out what options.which does.
  void Record(AuditRecord record);

  // As those of LineLog.
  void Reopen() { lines_.Reopen(); }
  void Stop(absl::AnyInvocable<void()> done) { lines_.Stop(std::move(done)); }
  AuditCounters counters() const { return lines_.counters(); }

 private:
  AuditLog(AuditedDecisions which, env::Executor& executor, std::unique_ptr<env::LineSink> sink,
           env::LineLogOptions options)
      : which_(which), lines_(executor, std::move(sink), std::move(options)) {}

  const AuditedDecisions which_;
  env::LineLog lines_;
};

}  // namespace cairn::security
