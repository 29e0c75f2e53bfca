// Who was let in and who was not: decisions of authorisation, as lines of JSON in a file.
//
//   {"time":"2026-11-29T06:00:00.123Z","subject":"alice","address":"10.0.0.7:40112",
//    "action":"produce","object":"orders","allowed":false,"rule":"denied: no rule allows it"}
//   {"time":"2026-11-29T06:00:01.500Z","dropped":17}                       (each on one line)
//
// Sits between whoever decides (any thread) and a FileSystem. Record queues and never waits for the
// disk; what is queued is written on the executor, in the order in which it was recorded. When the
// queue is full records are dropped, and a line at the place of the gap says how many.
//
// The file is appended to. A write that failed is made again, whole and on a line of its own: after
// a failure a record may be there twice, and a line before may be torn; none is joined to another.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "env/executor.h"
#include "env/file_system.h"

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

// When what was written is made durable.
enum class AuditSync {
  kNever,     // when the operating system likes
  kInterval,  // at most a second later
  kBatch,     // before the next batch; a batch whose sync failed is written again
};

struct AuditLogOptions {
  std::string path;
  AuditedDecisions which = AuditedDecisions::kDenials;
  // Records that wait, those being written included; further ones are dropped. Over half a second
  // of denials at 100,000 a second; some 20 MB with usual names.
  size_t max_queued = 65'536;
  AuditSync sync = AuditSync::kInterval;
};

struct AuditCounters {
  uint64_t written = 0;   // records in the file, as far as the file system says
  uint64_t dropped = 0;   // records that never will be
  uint64_t failures = 0;  // of opening, writing and syncing
};

// Record, Reopen and counters are thread-safe. Ends with Stop.
class AuditLog {
 public:
  // Told of the first failure, and again of the first after the file could be written. Runs on the
  // executor.
  using OnError = std::function<void(absl::Status)>;

  // After a failure the next attempt is made this much later, with all that was recorded meanwhile:
  // a disk that is full is not asked at every request.
  static constexpr int64_t kRetryNs = 1'000'000'000;
  static constexpr int64_t kSyncIntervalNs = 1'000'000'000;
  // Records that are written at once: bounds the time a task keeps the executor from others.
  static constexpr size_t kMaxBatchRecords = 4096;

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

  // Queues a record, or drops and counts it when the queue is full or Stop was called; leaves out
  // what options.which does. Does not block on the disk. On return nothing is durable.
  void Record(AuditRecord record);

  // Closes the file and opens options.path again, as a rotation of logs wants it (SIGHUP). Records
  // that wait at that time may go to either file. A failure is one like those of writing, and the
  // file is opened with the next batch.
  void Reopen();

  // Writes what is queued, syncs unless options.sync is kNever, closes the file, calls `done` on
  // the executor. When that fails the rest is dropped, counted and reported. Once.
  void Stop(absl::AnyInvocable<void()> done);

  AuditCounters counters() const;

 private:
  struct Entry {
    AuditRecord record;
    uint64_t dropped_before = 0;  // records lost between the entry before and this one
    int64_t dropped_ms = 0;       // when the last of them was recorded
  };

  AuditLog(env::FileSystem& fs, env::Executor& executor, AuditLogOptions options, OnError on_error);

  // Has Run called, once, however often it is asked.
  void Wake();
  void PostRun();
  // One batch, and whatever else there is to do. On the executor, as everything below.
  void Run();
  void RunReopen();
  void RunBatch(bool stopping);
  void GiveUp();
  // The next batch, as text. False when nothing waits.
  bool Take();
  absl::Status Write();
  absl::Status OpenFile();
  absl::Status Sync();
  void SyncLater();
  void Failed(const absl::Status& status);
  void Finish(absl::AnyInvocable<void()> done);

  env::FileSystem& fs_;
  env::Executor& executor_;
  const AuditLogOptions options_;
  const OnError on_error_;

  mutable base::Mutex mutex_;
  std::deque<Entry> queue_ CAIRN_GUARDED_BY(mutex_);
  size_t taken_ CAIRN_GUARDED_BY(mutex_) = 0;  // records in batch_
  uint64_t dropped_untold_ CAIRN_GUARDED_BY(mutex_) = 0;
  int64_t last_dropped_ms_ CAIRN_GUARDED_BY(mutex_) = 0;
  AuditCounters counters_ CAIRN_GUARDED_BY(mutex_);
  bool posted_ CAIRN_GUARDED_BY(mutex_) = false;  // a Run is on its way
  bool reopen_ CAIRN_GUARDED_BY(mutex_) = false;
  bool stopped_ CAIRN_GUARDED_BY(mutex_) = false;
  absl::AnyInvocable<void()> done_ CAIRN_GUARDED_BY(mutex_);

  // The executor's.
  std::string batch_;                // lines that are not known to be in the file
  std::unique_ptr<env::File> file_;  // null after a failure
  bool torn_ = false;                // the file may end within a line
  bool unsynced_ = false;
  bool entry_unsynced_ = false;  // the file is new in its directory
  bool failing_ = false;         // reported, and not over
  env::Executor::TimerId retry_timer_ = 0;
  env::Executor::TimerId sync_timer_ = 0;
};

}  // namespace cairn::security
