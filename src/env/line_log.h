// LineLog: lines of text that any thread queues and an executor writes.
//
// Sits between whoever has something to tell and a LineSink. Add queues and never waits for the
// sink; what is queued is written on the executor, in the order in which it was added. When the
// queue is full lines are dropped, and a line at the place of the gap says how many.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "base/mutex.h"
#include "env/executor.h"
#include "env/line_sink.h"

namespace cairn::env {

// When what was written is made durable.
enum class LineSync {
  kNever,     // when the operating system likes
  kInterval,  // at most a second later
  kBatch,     // before the next batch; a batch whose sync failed is written again
};

struct LineCounters {
  uint64_t written = 0;   // lines in the sink, as far as it says
  uint64_t dropped = 0;   // lines that never will be
  uint64_t failures = 0;  // of opening, writing and syncing
};

struct LineLogOptions {
  // Lines that wait, those being written included; further ones are dropped. At least 1.
  size_t max_queued = 0;
  LineSync sync = LineSync::kNever;
  // Appends the line that says that `count` are missing, the last of them from `time_ms`.
  std::function<void(int64_t time_ms, uint64_t count, std::string& text)> append_dropped;
  // Told of the first failure, and again of the first after the sink worked. Runs on the executor.
  std::function<void(absl::Status)> on_error;
};

// Add, Reopen and the counters are thread-safe. Ends with Stop.
class LineLog {
 public:
  // Appends the line, with its newline, to a text. Runs on the executor.
  using Line = absl::AnyInvocable<void(std::string& text)>;

  // After a failure the next attempt is made this much later, with all that was added meanwhile: a
  // disk that is full is not asked for every line.
  static constexpr int64_t kRetryNs = 1'000'000'000;
  static constexpr int64_t kSyncIntervalNs = 1'000'000'000;
  // Lines that are written at once: bounds the time a task keeps the executor from others.
  static constexpr size_t kMaxBatchLines = 4096;

  // `executor` outlives the log; it may block for the sink. The sink is open.
  LineLog(Executor& executor, std::unique_ptr<LineSink> sink, LineLogOptions options);
  // After the `done` of Stop has begun, or when the executor runs no more tasks.
  ~LineLog() = default;
  LineLog(const LineLog&) = delete;
  LineLog& operator=(const LineLog&) = delete;

  // Queues a line, or drops and counts it when the queue is full or Stop was called. Does not block
  // on the sink. On return nothing is durable. `time_ms` is since 1970.
  void Add(int64_t time_ms, Line line);

  // Opens the sink again, as a rotation of logs wants it. Lines that wait at that time may go to
  // either file. A failure is one like those of writing, and it is opened with the next batch.
  void Reopen();

  // Writes what is queued, syncs unless options.sync is kNever, closes the sink, calls `done` on
  // the executor. When that fails the rest is dropped, counted and reported. Once.
  void Stop(absl::AnyInvocable<void()> done);

  LineCounters counters() const;
  // Whether all that was added is written or dropped.
  bool idle() const;

 private:
  struct Entry {
    Line line;
    uint64_t dropped_before = 0;  // lines lost between the entry before and this one
    int64_t dropped_ms = 0;       // when the last of them was added
  };

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
  absl::Status Sync();
  void SyncLater();
  void Failed(const absl::Status& status);
  void Finish(absl::AnyInvocable<void()> done);

  Executor& executor_;
  const std::unique_ptr<LineSink> sink_;
  const LineLogOptions options_;

  mutable base::Mutex mutex_;
  std::deque<Entry> queue_ CAIRN_GUARDED_BY(mutex_);
  size_t taken_ CAIRN_GUARDED_BY(mutex_) = 0;  // lines in batch_
  uint64_t dropped_untold_ CAIRN_GUARDED_BY(mutex_) = 0;
  int64_t last_dropped_ms_ CAIRN_GUARDED_BY(mutex_) = 0;
  LineCounters counters_ CAIRN_GUARDED_BY(mutex_);
  bool posted_ CAIRN_GUARDED_BY(mutex_) = false;  // a Run is on its way
  bool reopen_ CAIRN_GUARDED_BY(mutex_) = false;
  bool stopped_ CAIRN_GUARDED_BY(mutex_) = false;
  absl::AnyInvocable<void()> done_ CAIRN_GUARDED_BY(mutex_);

  // The executor's.
  std::string batch_;  // lines that are not known to be in the sink
  bool unsynced_ = false;
  bool failing_ = false;  // reported, and not over
  Executor::TimerId retry_timer_ = 0;
  Executor::TimerId sync_timer_ = 0;
};

}  // namespace cairn::env
