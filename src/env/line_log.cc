#include "env/line_log.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/status_macros.h"

namespace cairn::env {

LineLog::LineLog(Executor& executor, std::unique_ptr<LineSink> sink, LineLogOptions options)
    : executor_(executor), sink_(std::move(sink)), options_(std::move(options)) {}

void LineLog::Add(int64_t time_ms, Line line) {
  {
    const base::MutexLock lock(mutex_);
    if (stopped_ || queue_.size() + taken_ >= options_.max_queued) {
      ++counters_.dropped;
      if (stopped_) return;
      ++dropped_untold_;
      last_dropped_ms_ = time_ms;
      return;  // whoever filled the queue has woken the writer
    }
    queue_.push_back({.line = std::move(line),
                      .dropped_before = std::exchange(dropped_untold_, 0),
                      .dropped_ms = last_dropped_ms_});
  }
  Wake();
}

void LineLog::Reopen() {
  {
    const base::MutexLock lock(mutex_);
    if (stopped_) return;
    reopen_ = true;
  }
  Wake();
}

void LineLog::Stop(absl::AnyInvocable<void()> done) {
  CAIRN_CHECK(done, "a log is stopped by somebody who waits for it");
  bool again = false;
  {
    const base::MutexLock lock(mutex_);
    again = std::exchange(stopped_, true);
    if (!again) done_ = std::move(done);
  }
  CAIRN_CHECK(!again, "a log is stopped once");  // without the mutex: the end may flush the log
  Wake();
}

LineCounters LineLog::counters() const {
  const base::MutexLock lock(mutex_);
  return counters_;
}

bool LineLog::idle() const {
  const base::MutexLock lock(mutex_);
  return queue_.empty() && taken_ == 0 && dropped_untold_ == 0;
}

void LineLog::Wake() {
  {
    const base::MutexLock lock(mutex_);
    if (std::exchange(posted_, true)) return;
  }
  PostRun();
}

// Without the mutex: an executor of a simulation may run the task before Post returns.
void LineLog::PostRun() {
  executor_.Post([this] { Run(); });
}

void LineLog::Run() {
  bool reopen = false;
  bool stopping = false;
  {
    const base::MutexLock lock(mutex_);
    posted_ = false;
    reopen = std::exchange(reopen_, false);
    stopping = stopped_;
  }
  if (reopen) RunReopen();
  if (retry_timer_ == 0 || stopping) RunBatch(stopping);

  absl::AnyInvocable<void()> done;
  {
    const base::MutexLock lock(mutex_);
    if (posted_) return;  // that one goes on, and ends what is to be ended
    if (!queue_.empty() || dropped_untold_ > 0) {
      if (retry_timer_ != 0 && !stopping) return;
      posted_ = true;
    } else if (stopping) {
      done = std::move(done_);
      posted_ = true;  // no further one: Finish is the end
    } else {
      return;
    }
  }
  if (done) return Finish(std::move(done));
  PostRun();
}

void LineLog::RunReopen() {
  if (unsynced_ && options_.sync != LineSync::kNever) {
    if (const absl::Status synced = Sync(); !synced.ok()) Failed(synced);
  }
  unsynced_ = false;  // of the file that is closed now
  // Whoever rotates logs may just have made room.
  executor_.Cancel(std::exchange(retry_timer_, 0));
  if (const absl::Status opened = sink_->Open(); !opened.ok()) Failed(opened);
}

void LineLog::RunBatch(bool stopping) {
  if (batch_.empty() && !Take()) return;
  absl::Status status = sink_->Write(batch_);
  unsynced_ = unsynced_ || status.ok();
  if (status.ok() && options_.sync == LineSync::kBatch) status = Sync();
  if (!status.ok()) {
    Failed(status);
    if (stopping) GiveUp();
    return;
  }
  batch_.clear();
  if (options_.sync == LineSync::kNever) failing_ = false;
  if (options_.sync == LineSync::kInterval) SyncLater();
  const base::MutexLock lock(mutex_);
  counters_.written += std::exchange(taken_, 0);
}

void LineLog::GiveUp() {
  batch_.clear();
  const base::MutexLock lock(mutex_);
  counters_.dropped += std::exchange(taken_, 0) + queue_.size();
  queue_.clear();
  dropped_untold_ = 0;
}

bool LineLog::Take() {
  std::vector<Entry> entries;
  uint64_t dropped = 0;  // behind the last entry
  int64_t dropped_ms = 0;
  {
    const base::MutexLock lock(mutex_);
    const auto count = static_cast<std::ptrdiff_t>(std::min<size_t>(queue_.size(), kMaxBatchLines));
    entries.assign(std::make_move_iterator(queue_.begin()),
                   std::make_move_iterator(queue_.begin() + count));
    queue_.erase(queue_.begin(), queue_.begin() + count);
    taken_ = entries.size();
    if (queue_.empty()) {
      dropped = std::exchange(dropped_untold_, 0);
      dropped_ms = last_dropped_ms_;
    }
  }
  for (Entry& entry : entries) {
    if (entry.dropped_before > 0) {
      options_.append_dropped(entry.dropped_ms, entry.dropped_before, batch_);
    }
    entry.line(batch_);
  }
  if (dropped > 0) options_.append_dropped(dropped_ms, dropped, batch_);
  return !batch_.empty();
}

absl::Status LineLog::Sync() {
  CAIRN_RETURN_IF_ERROR(sink_->Sync());
  unsynced_ = false;
  failing_ = false;
  return absl::OkStatus();
}

void LineLog::SyncLater() {
  if (sync_timer_ != 0) return;
  sync_timer_ = executor_.PostAfter(kSyncIntervalNs, [this] {
    sync_timer_ = 0;
    if (!unsynced_) return;
    if (const absl::Status synced = Sync(); !synced.ok()) Failed(synced);
  });
}

void LineLog::Failed(const absl::Status& status) {
  // A sync that failed says nothing of what a later one of the same file would mean (see
  // file_system.h), and a file that cannot be written may be another one by now.
  sink_->Close();
  unsynced_ = false;
  {
    const base::MutexLock lock(mutex_);
    ++counters_.failures;
  }
  if (!batch_.empty() && retry_timer_ == 0) {
    retry_timer_ = executor_.PostAfter(kRetryNs, [this] {
      retry_timer_ = 0;
      Wake();
    });
  }
  if (!std::exchange(failing_, true) && options_.on_error) {
    options_.on_error(status);
  }
}

void LineLog::Finish(absl::AnyInvocable<void()> done) {
  executor_.Cancel(std::exchange(retry_timer_, 0));
  executor_.Cancel(std::exchange(sync_timer_, 0));
  if (unsynced_ && options_.sync != LineSync::kNever) {
    if (const absl::Status synced = Sync(); !synced.ok()) Failed(synced);
  }
  sink_->Close();
  done();  // after which this object may be gone
}

}  // namespace cairn::env
