#include "security/audit_log.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "env/files.h"

namespace cairn::security {
namespace {

using Json = nlohmann::ordered_json;

std::string Rfc3339(int64_t time_ms) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::FromUnixMillis(time_ms),
                          absl::UTCTimeZone());
}

// ASCII only: what a peer calls itself neither ends the line nor steers the terminal of whoever
// reads it.
void AppendLine(const Json& json, std::string& text) {
  text += json.dump(-1, ' ', true, Json::error_handler_t::replace);
  text += '\n';
}

void AppendDropped(int64_t time_ms, uint64_t count, std::string& text) {
  AppendLine({{"time", Rfc3339(time_ms)}, {"dropped", count}}, text);
}

void AppendRecord(const AuditRecord& record, std::string& text) {
  AppendLine({{"time", Rfc3339(record.time_ms)},
              {"subject", record.subject},
              {"address", record.address},
              {"action", record.action},
              {"object", record.object},
              {"allowed", record.allowed},
              {"rule", record.rule}},
             text);
}

void Shorten(std::string& text) {
  if (text.size() <= kMaxAuditTextBytes) return;
  text.resize(kMaxAuditTextBytes);
  text += "...";
}

}  // namespace

absl::StatusOr<std::unique_ptr<AuditLog>> AuditLog::Open(env::FileSystem& fs,
                                                         env::Executor& executor,
                                                         AuditLogOptions options,
                                                         OnError on_error) {
  if (options.path.empty()) return absl::InvalidArgumentError("an audit log needs a path");
  if (options.max_queued == 0) {
    return absl::InvalidArgumentError("an audit log with a queue of 0 records writes none");
  }
  std::unique_ptr<AuditLog> log(
      new AuditLog(fs, executor, std::move(options), std::move(on_error)));
  CAIRN_RETURN_IF_ERROR(log->OpenFile());
  return log;
}

AuditLog::AuditLog(env::FileSystem& fs, env::Executor& executor, AuditLogOptions options,
                   OnError on_error)
    : fs_(fs), executor_(executor), options_(std::move(options)), on_error_(std::move(on_error)) {}

void AuditLog::Record(AuditRecord record) {
  if (record.allowed && options_.which == AuditedDecisions::kDenials) return;
  for (std::string* text :
       {&record.subject, &record.address, &record.action, &record.object, &record.rule}) {
    Shorten(*text);
  }
  {
    const base::MutexLock lock(mutex_);
    if (stopped_ || queue_.size() + taken_ >= options_.max_queued) {
      ++counters_.dropped;
      if (stopped_) return;
      ++dropped_untold_;
      last_dropped_ms_ = record.time_ms;
      return;  // whoever filled the queue has woken the writer
    }
    queue_.push_back({.record = std::move(record),
                      .dropped_before = std::exchange(dropped_untold_, 0),
                      .dropped_ms = last_dropped_ms_});
  }
  Wake();
}

void AuditLog::Reopen() {
  {
    const base::MutexLock lock(mutex_);
    if (stopped_) return;
    reopen_ = true;
  }
  Wake();
}

void AuditLog::Stop(absl::AnyInvocable<void()> done) {
  {
    const base::MutexLock lock(mutex_);
    CAIRN_CHECK(!stopped_ && done, "an audit log is stopped once, by somebody who waits for it");
    stopped_ = true;
    done_ = std::move(done);
  }
  Wake();
}

AuditCounters AuditLog::counters() const {
  const base::MutexLock lock(mutex_);
  return counters_;
}

void AuditLog::Wake() {
  {
    const base::MutexLock lock(mutex_);
    if (std::exchange(posted_, true)) return;
  }
  PostRun();
}

// Without the mutex: an executor of a simulation may run the task before Post returns.
void AuditLog::PostRun() {
  executor_.Post([this] { Run(); });
}

void AuditLog::Run() {
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

void AuditLog::RunReopen() {
  if (unsynced_ && options_.sync != AuditSync::kNever) {
    if (const absl::Status synced = Sync(); !synced.ok()) Failed(synced);
  }
  unsynced_ = false;  // of the file that is closed now
  file_.reset();
  // Whoever rotates logs may just have made room.
  executor_.Cancel(std::exchange(retry_timer_, 0));
  if (const absl::Status opened = OpenFile(); !opened.ok()) Failed(opened);
}

void AuditLog::RunBatch(bool stopping) {
  if (batch_.empty() && !Take()) return;
  absl::Status status = Write();
  if (status.ok() && options_.sync == AuditSync::kBatch) status = Sync();
  if (!status.ok()) {
    Failed(status);
    if (stopping) GiveUp();
    return;
  }
  batch_.clear();
  if (options_.sync == AuditSync::kNever) failing_ = false;
  if (options_.sync == AuditSync::kInterval) SyncLater();
  const base::MutexLock lock(mutex_);
  counters_.written += std::exchange(taken_, 0);
}

void AuditLog::GiveUp() {
  batch_.clear();
  const base::MutexLock lock(mutex_);
  counters_.dropped += std::exchange(taken_, 0) + queue_.size();
  queue_.clear();
  dropped_untold_ = 0;
}

bool AuditLog::Take() {
  std::vector<Entry> entries;
  uint64_t dropped = 0;  // behind the last entry
  int64_t dropped_ms = 0;
  {
    const base::MutexLock lock(mutex_);
    const auto count =
        static_cast<std::ptrdiff_t>(std::min<size_t>(queue_.size(), kMaxBatchRecords));
    entries.assign(std::make_move_iterator(queue_.begin()),
                   std::make_move_iterator(queue_.begin() + count));
    queue_.erase(queue_.begin(), queue_.begin() + count);
    taken_ = entries.size();
    if (queue_.empty()) {
      dropped = std::exchange(dropped_untold_, 0);
      dropped_ms = last_dropped_ms_;
    }
  }
  for (const Entry& entry : entries) {
    if (entry.dropped_before > 0) AppendDropped(entry.dropped_ms, entry.dropped_before, batch_);
    AppendRecord(entry.record, batch_);
  }
  if (dropped > 0) AppendDropped(dropped_ms, dropped, batch_);
  return !batch_.empty();
}

absl::Status AuditLog::Write() {
  if (file_ == nullptr) CAIRN_RETURN_IF_ERROR(OpenFile());
  // Asked every time: a file that was cut by whoever rotates it goes on at its new end.
  CAIRN_ASSIGN_OR_RETURN(const uint64_t end, file_->Size());
  const std::array<std::string_view, 2> buffers = {torn_ && end > 0 ? "\n" : "", batch_};
  CAIRN_RETURN_IF_ERROR(file_->WriteAt(end, buffers));
  torn_ = false;
  unsynced_ = true;
  return absl::OkStatus();
}

absl::Status AuditLog::OpenFile() {
  absl::StatusOr<std::unique_ptr<env::File>> file =
      fs_.Open(options_.path, env::OpenMode::kReadWrite);
  if (absl::IsNotFound(file.status())) {
    file = fs_.Open(options_.path, env::OpenMode::kCreatePrivate);
    if (file.ok()) entry_unsynced_ = true;
    // Whoever rotates logs was quicker.
    if (absl::IsAlreadyExists(file.status())) {
      file = fs_.Open(options_.path, env::OpenMode::kReadWrite);
    }
  }
  CAIRN_RETURN_IF_ERROR(file.status());
  CAIRN_ASSIGN_OR_RETURN(const uint64_t end, (*file)->Size());
  // A write that failed, or a crash, may have left a part of a line.
  torn_ = false;
  if (end > 0) {
    std::array<char, 1> last = {};
    CAIRN_ASSIGN_OR_RETURN(const size_t got, (*file)->ReadAt(end - 1, last));
    torn_ = got == 0 || last[0] != '\n';
  }
  file_ = *std::move(file);
  return absl::OkStatus();
}

absl::Status AuditLog::Sync() {
  CAIRN_CHECK(file_ != nullptr, "what is synced was written to a file that is open");
  CAIRN_RETURN_IF_ERROR(file_->Sync());
  if (entry_unsynced_) CAIRN_RETURN_IF_ERROR(fs_.SyncDir(env::DirName(options_.path)));
  unsynced_ = false;
  entry_unsynced_ = false;
  failing_ = false;
  return absl::OkStatus();
}

void AuditLog::SyncLater() {
  if (sync_timer_ != 0) return;
  sync_timer_ = executor_.PostAfter(kSyncIntervalNs, [this] {
    sync_timer_ = 0;
    if (!unsynced_) return;
    if (const absl::Status synced = Sync(); !synced.ok()) Failed(synced);
  });
}

void AuditLog::Failed(const absl::Status& status) {
  // A sync that failed says nothing of what a later one of the same file would mean (see
  // file_system.h), and a file that cannot be written may be another one by now.
  file_.reset();
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
  if (!std::exchange(failing_, true) && on_error_) on_error_(status);
}

void AuditLog::Finish(absl::AnyInvocable<void()> done) {
  executor_.Cancel(std::exchange(retry_timer_, 0));
  executor_.Cancel(std::exchange(sync_timer_, 0));
  if (unsynced_ && options_.sync != AuditSync::kNever) {
    if (const absl::Status synced = Sync(); !synced.ok()) Failed(synced);
  }
  file_.reset();
  done();  // after which this object may be gone
}

}  // namespace cairn::security
