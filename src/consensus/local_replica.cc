#include "consensus/local_replica.h"

#include <algorithm>
#include <utility>

#include "base/error_info.h"
#include "base/strings.h"

namespace cairn::consensus {
namespace {

// One replica never changes its leader: it has been in the same term for ever.
constexpr Term kOnlyTerm{1};

// Pause before a failed log is opened again: first and longest.
constexpr int64_t kFirstReopenPauseMs = 1'000;
constexpr int64_t kLongestReopenPauseMs = 30'000;

absl::Status DiskFull(const absl::Status& cause) {
  return base::MakeError(
      absl::StatusCode::kResourceExhausted,
      base::StrCat("the disk is full, nothing was stored; reads go on, writes will "
                   "when space is back (",
                   cause.message(), ")"),
      base::reason::kDiskFull);
}

absl::Status DiskFailed(const absl::Status& cause) {
  return base::MakeError(
      absl::StatusCode::kUnavailable,
      base::StrCat("the disk failed; the log will be opened again from what it holds (",
                   cause.message(), ")"),
      base::reason::kDiskFailed);
}

}  // namespace

LocalReplica::LocalReplica(Dependencies dependencies, std::unique_ptr<log::Log> log, Owner& owner)
    : dependencies_(dependencies),
      owner_(owner),
      log_(std::move(log)),
      published_(log_),
      next_index_(log_->end_index()),
      next_offset_(log_->end_offset()),
      committed_(next_offset_),
      term_(std::max(log_->last_term(), kOnlyTerm)) {}

std::shared_ptr<const log::Log> LocalReplica::log() const {
  base::MutexLock lock(mutex_);
  return published_;
}

absl::StatusOr<log::EntryHeader> LocalReplica::Propose(log::Batch batch) {
  if (!failure_.ok()) return failure_;
  pending_.push_back(log::MakeBatchEntry(std::move(batch), next_index_, term_, next_offset_));
  const log::EntryHeader& header = pending_.back().header;
  ++next_index_;
  next_offset_ = header.end_offset();
  if (!scheduled_) {
    scheduled_ = true;
    dependencies_.group_commit->Schedule(shared_from_this());
  }
  return header;
}

std::vector<log::Entry> LocalReplica::TakePending() {
  scheduled_ = false;
  if (!failure_.ok()) pending_.clear();
  if (!pending_.empty()) {
    ++writing_;
  } else if (stopping_) {
    FinishStop();
  }
  return std::exchange(pending_, {});
}

void LocalReplica::OnPersisted(Offset end, const absl::Status& status) {
  --writing_;
  if (status.ok()) {
    Commit(end);
  } else if (!log_->failed()) {
    Reject(absl::IsResourceExhausted(status) ? DiskFull(status) : DiskFailed(status));
  } else {
    Fail(status);
  }
  if (stopping_) FinishStop();
}

void LocalReplica::Commit(Offset end) {
  committed_ = end;
  owner_.OnCommitted(committed_);
}

// Takes everything back that is not committed. What a failed log holds beyond that is not known
// before it was opened again, so its end says nothing.
void LocalReplica::Reject(const absl::Status& error) {
  pending_.clear();
  next_index_ = log_->end_index();
  next_offset_ = committed_;
  owner_.OnRejected(committed_, error);
}

void LocalReplica::Fail(const absl::Status& cause) {
  failure_ = DiskFailed(cause);
  Reject(failure_);
  ScheduleReopen();
}

void LocalReplica::ScheduleReopen() {
  // Once: an operation on the log and the group behind it may both find that it failed.
  if (stopping_ || reopening_) return;
  reopening_ = true;
  reopen_pause_ms_ = std::clamp(reopen_pause_ms_ * 2, kFirstReopenPauseMs, kLongestReopenPauseMs);
  dependencies_.loop->PostAfter(reopen_pause_ms_ * 1'000'000, [self = shared_from_this()] {
    if (self->stopping_) return;
    // Opened on the disk executor, where the failed log's writer functions ran.
    auto opened = std::make_shared<absl::StatusOr<std::unique_ptr<log::Log>>>(nullptr);
    self->dependencies_.group_commit->Run(
        [self, opened] {
          log::RecoveryReport report;
          *opened = log::Log::Open(*self->dependencies_.fs, *self->dependencies_.clock,
                                   self->log_->options(), report);
          return opened->status();
        },
        [self, opened](const absl::Status&) { self->Reopened(std::move(*opened)); });
  });
}

void LocalReplica::Reopened(absl::StatusOr<std::unique_ptr<log::Log>> opened) {
  reopening_ = false;
  if (stopping_) return;
  if (opened.ok() && (*opened)->end_offset() < committed_) {
    opened =
        absl::DataLossError(base::StrCat("the log ends at offset ", (*opened)->end_offset().value(),
                                         ", but ", committed_.value(), " was committed"));
  }
  if (!opened.ok()) {
    failure_ = DiskFailed(opened.status());
    ScheduleReopen();
    return;
  }
  log_ = *std::move(opened);
  {
    base::MutexLock lock(mutex_);
    published_ = log_;
  }
  failure_ = absl::OkStatus();
  reopen_pause_ms_ = 0;
  next_index_ = log_->end_index();
  next_offset_ = log_->end_offset();
  // What was written when the disk failed may have come through: it is durable now, and committed.
  Commit(next_offset_);
}

void LocalReplica::RunOnLog(LogOperation operation, absl::AnyInvocable<void(absl::Status)> done) {
  if (!failure_.ok() || stopping_) {
    dependencies_.loop->Post(
        [status = failure_.ok() ? absl::UnavailableError("the replica is stopping") : failure_,
         done = std::move(done)]() mutable { done(std::move(status)); });
    return;
  }
  dependencies_.group_commit->Run(
      [log = log_, operation = std::move(operation)]() mutable { return operation(*log); },
      [self = shared_from_this(), done = std::move(done)](absl::Status status) mutable {
        if (self->log_->failed() && self->failure_.ok()) self->Fail(status);
        done(std::move(status));
      });
}

void LocalReplica::Stop(absl::AnyInvocable<void(absl::Status)> done) {
  stopping_ = true;
  stopped_ = std::move(done);
  FinishStop();
}

void LocalReplica::FinishStop() {
  if (writing_ > 0 || scheduled_) return;
  failure_ = absl::UnavailableError("the replica is stopped");
  dependencies_.group_commit->Run(
      [log = log_] { return log->failed() ? absl::OkStatus() : log->Close(); },
      [self = shared_from_this()](absl::Status status) {
        if (self->stopped_) std::exchange(self->stopped_, nullptr)(std::move(status));
      });
}

}  // namespace cairn::consensus
