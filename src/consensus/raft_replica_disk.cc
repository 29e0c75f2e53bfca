// The half of RaftReplica that concerns the disk: what is stored, how it fails, how the group is
// opened again and closed.
#include <algorithm>
#include <utility>

#include "base/error_info.h"
#include "base/strings.h"
#include "consensus/core_state.h"
#include "consensus/raft_replica.h"

namespace cairn::consensus {
namespace {

// Pause before a failed group is opened again: first and longest.
constexpr int64_t kFirstReopenPauseMs = 1'000;
constexpr int64_t kLongestReopenPauseMs = 30'000;
// A full disk is looked at this often, and counts as usable again with this much space.
constexpr int64_t kFullDiskPauseMs = 200;
constexpr uint64_t kUsableFreeBytes = 4 << 20;

absl::Status DiskFull(const absl::Status& cause) {
  return base::MakeError(
      absl::StatusCode::kResourceExhausted,
      base::StrCat("the disk is full, nothing was stored; reads go on, writes will when space is "
                   "back (",
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

std::shared_ptr<const log::Log> RaftReplica::log() const {
  base::MutexLock lock(mutex_);
  return published_;
}

// ---- storing ----

void RaftReplica::Store(StoreEntries store) {
  if (disk_failed_ || store.entries.empty()) return;
  SetInflightLimit(store.entries);
  if (store.first <= stored_last_) {
    std::vector<log::Entry>& waiting = pending_.entries;
    while (!waiting.empty() && waiting.back().header.index >= store.first) waiting.pop_back();
    if (waiting.empty() && !pending_.reset) {
      pending_.truncate_from = std::min(pending_.truncate_from.value_or(store.first), store.first);
    }
    persisted_ = std::min(persisted_, store.first - 1);
  }
  stored_last_ = store.entries.back().header.index;
  std::move(store.entries.begin(), store.entries.end(), std::back_inserter(pending_.entries));
  ScheduleDisk();
}

void RaftReplica::Reset(const ResetLog& reset) {
  if (disk_failed_) return;
  const InstallSnapshot& snapshot = reset.snapshot;
  pending_ = {};
  pending_.reset = log::LogStart{.offset = snapshot.start_offset,
                                 .index = snapshot.last_index + 1,
                                 .term = snapshot.last_term};
  resetting_ = true;
  dependencies_.counters->snapshots_received.Add();
  unwritten_.clear();
  ends_.clear();
  next_offset_ = snapshot.start_offset;
  stored_last_ = snapshot.last_index;
  persisted_ = Index();
  commit_index_ = snapshot.last_index;
  pending_.before_reset = owner_.OnReset(snapshot.start_offset, snapshot.state);
  traces_.Abandon(absl::AbortedError("the log was replaced by a snapshot"));
  ScheduleDisk();
}

void RaftReplica::ScheduleDisk() {
  if (scheduled_) return;
  scheduled_ = true;
  dependencies_.group_commit->Schedule(shared_from_this());
}

LogWork RaftReplica::TakePending() {
  scheduled_ = false;
  if (disk_failed_ || core_ == nullptr) pending_ = {};
  if (pending_.empty()) {
    if (stopping_) FinishStop();
    return {};
  }
  LogWork work = std::exchange(pending_, {});
  traces_.OnTaken();
  taken_.push_back(work.reset ? Index() : work.truncate_from);
  return work;
}

void RaftReplica::OnPersisted(const LogWork& work, const absl::Status& status) {
  taken_.pop_front();
  if (core_ == nullptr || disk_failed_) {
    // Closed meanwhile; what the disk has is found when the log is opened again.
  } else if (!status.ok()) {
    OnDiskError(status);
  } else {
    if (work.reset) {
      resetting_ = false;
      persisted_ = work.reset->index - 1;
      high_watermark_ = std::max(high_watermark_, work.reset->offset);
      has_published_ = false;  // the owner is told now
      core_->OnLogReset(persisted_, NowMs());
    }
    if (!work.entries.empty()) {
      Index durable = work.entries.back().header.index;
      // What a later piece of work cuts is not kept.
      if (pending_.truncate_from) durable = std::min(durable, *pending_.truncate_from - 1);
      for (const auto& cut : taken_) {
        if (cut) durable = std::min(durable, Index(std::max<uint64_t>(cut->value(), 1) - 1));
      }
      if (!resetting_ && durable > persisted_) {
        persisted_ = durable;
        while (!unwritten_.empty() && unwritten_.front().header.index <= durable) {
          unwritten_.pop_front();
        }
        traces_.OnPersisted(durable);
        core_->OnPersisted(durable, NowMs());
      }
    }
    PublishCommitted();
    Drain();
  }
  if (stopping_) FinishStop();
}

// ---- failing ----

void RaftReplica::OnDiskError(const absl::Status& status) {
  if (!log_->failed() && absl::IsResourceExhausted(status) &&
      core_->configuration().IsSoleVoter(options_.self)) {
    return TakeBack(DiskFull(status));
  }
  disk_failed_ = true;
  pending_ = {};
  disk_full_ = absl::IsResourceExhausted(status);
  // Also when it is only full: others may have what was proposed, and commit it.
  failure_ = DiskFailed(status);
  core_->OnDiskFailed(NowMs());
  Drain();
}

// The only voter could not store what was proposed, and its log is as before: the core forgets what
// it was told, and begins again from the log when there is space.
void RaftReplica::TakeBack(const absl::Status& error) {
  ++epoch_;
  disk_failed_ = true;  // until the core is new
  failure_ = error;
  core_.reset();
  outputs_.clear();
  stable_write_ = false;
  is_leader_.store(false, std::memory_order_release);
  serves_.store(false, std::memory_order_release);
  owner_.OnTruncated(log_->end_offset());
  owner_.OnAbandoned(error);
  traces_.Abandon(error);
  WaitForSpace();
}

bool RaftReplica::HasSpace() const {
  const auto free = dependencies_.fs->FreeBytes(log_->options().directory);
  return !free.ok() || *free >= kUsableFreeBytes;  // a file system that cannot tell is tried
}

void RaftReplica::WaitForSpace() {
  dependencies_.loop->PostAfter(kFullDiskPauseMs * 1'000'000, [self = shared_from_this(),
                                                               epoch = epoch_] {
    if (self->stopping_ || epoch != self->epoch_) return;
    if (!self->HasSpace()) return self->WaitForSpace();
    auto state = std::make_shared<absl::StatusOr<CoreState>>();
    self->dependencies_.group_commit->Run(
        [self, state] {
          *state = LoadCoreState(*self->log_, *self->dependencies_.stable, self->options_.group);
          return state->status();
        },
        [self, state, epoch](const absl::Status& status) {
          if (self->stopping_ || epoch != self->epoch_) return;
          if (!status.ok()) return self->Close(status);
          self->StartCore(**state);
        });
  });
}

void RaftReplica::OnCoreClosed(const CoreClosed& closed) {
  Close(failure_.ok() ? absl::InternalError(closed.reason) : failure_);
}

void RaftReplica::Close(const absl::Status& why) {
  ++epoch_;
  if (failure_.ok()) {
    disk_full_ = absl::IsResourceExhausted(why);
    failure_ = DiskFailed(why);
  }
  if (dependencies_.on_closed) dependencies_.on_closed(options_.group, why);
  disk_failed_ = true;
  core_.reset();
  outputs_.clear();
  stable_write_ = false;
  for (auto& [node, outbox] : outboxes_) outbox->Close();
  outboxes_.clear();
  is_leader_.store(false, std::memory_order_release);
  serves_.store(false, std::memory_order_release);
  leader_.store(0, std::memory_order_release);
  for (auto& [token, read] : std::exchange(reads_, {})) read.done(failure_);
  owner_.OnAbandoned(failure_);
  traces_.Abandon(failure_);
  owner_.OnLeader(NodeId());
  ScheduleReopen();
}

void RaftReplica::ScheduleReopen() {
  if (stopping_ || reopening_) return;
  reopening_ = true;
  reopen_pause_ms_ = std::clamp(reopen_pause_ms_ * 2, kFirstReopenPauseMs, kLongestReopenPauseMs);
  dependencies_.loop->PostAfter(reopen_pause_ms_ * 1'000'000, [self = shared_from_this()] {
    if (self->stopping_) return;
    if (self->disk_full_ && !self->HasSpace()) {
      self->reopening_ = false;
      self->reopen_pause_ms_ = 0;
      return self->ScheduleReopen();
    }
    struct Opened {
      absl::StatusOr<std::unique_ptr<log::Log>> log{nullptr};
      absl::StatusOr<CoreState> state;
    };
    auto opened = std::make_shared<Opened>();
    // On the disk executor, where the failed log's writer functions ran.
    self->dependencies_.group_commit->Run(
        [self, opened] {
          log::RecoveryReport report;
          opened->log = log::Log::Open(*self->dependencies_.fs, *self->dependencies_.clock,
                                       self->log_->options(), report);
          if (!opened->log.ok()) return opened->log.status();
          opened->state =
              LoadCoreState(**opened->log, *self->dependencies_.stable, self->options_.group);
          return opened->state.status();
        },
        [self, opened](const absl::Status&) {
          self->Reopened(std::move(opened->log), std::move(opened->state));
        });
  });
}

void RaftReplica::Reopened(absl::StatusOr<std::unique_ptr<log::Log>> log,
                           absl::StatusOr<CoreState> state) {
  reopening_ = false;
  if (stopping_) return;
  absl::Status status = log.ok() ? state.status() : log.status();
  if (status.ok() && (*log)->end_offset() < high_watermark_) {
    status =
        absl::DataLossError(base::StrCat("the log ends at offset ", (*log)->end_offset().value(),
                                         ", but ", high_watermark_.value(), " was committed"));
  }
  if (!status.ok()) {
    failure_ = DiskFailed(status);
    return ScheduleReopen();
  }
  log_ = *std::move(log);
  {
    base::MutexLock lock(mutex_);
    published_ = log_;
  }
  reopen_pause_ms_ = 0;
  owner_.OnTruncated(log_->end_offset());
  StartCore(*state);
}

// ---- operations on the log, the end ----

void RaftReplica::RunOnLog(LogOperation operation, absl::AnyInvocable<void(absl::Status)> done) {
  if (core_ == nullptr || disk_failed_ || stopping_) {
    absl::Status status = stopping_       ? absl::UnavailableError("the replica is stopping")
                          : failure_.ok() ? absl::UnavailableError("the log is not open")
                                          : failure_;
    dependencies_.loop->Post([status = std::move(status), done = std::move(done)]() mutable {
      done(std::move(status));
    });
    return;
  }
  dependencies_.group_commit->Run(
      [log = log_, operation = std::move(operation)]() mutable { return operation(*log); },
      [self = shared_from_this(), epoch = epoch_,
       done = std::move(done)](absl::Status status) mutable {
        if (epoch == self->epoch_ && self->core_ != nullptr && !self->disk_failed_) {
          if (self->log_->failed()) {
            self->OnDiskError(status);
          } else if (const Index first = self->log_->first_index();
                     !self->resetting_ && first > self->core_->snapshot_index() + 1 &&
                     // After a disk fault the core is new, and may not know yet that what was
                     // committed before, and is deleted now, is. The next operation tells it.
                     first - 1 <= std::min(self->core_->commit_index(), self->persisted_)) {
            self->core_->OnCompacted(first - 1, self->NowMs());
            self->Drain();
          }
        }
        done(std::move(status));
      });
}

void RaftReplica::Stop(absl::AnyInvocable<void(absl::Status)> done) {
  stopping_ = true;
  stopped_ = std::move(done);
  dependencies_.loop->Cancel(timer_);
  timer_ = 0;
  FinishStop();
}

void RaftReplica::FinishStop() {
  if (!taken_.empty() || scheduled_ || !stopped_) return;
  ++epoch_;
  failure_ = absl::UnavailableError("the replica is stopped");
  traces_.Abandon(failure_);
  core_.reset();
  outputs_.clear();
  for (auto& [node, outbox] : outboxes_) outbox->Close();
  outboxes_.clear();
  is_leader_.store(false, std::memory_order_release);
  serves_.store(false, std::memory_order_release);
  for (auto& [token, read] : std::exchange(reads_, {})) read.done(failure_);
  dependencies_.group_commit->Run(
      [log = log_] { return log->failed() ? absl::OkStatus() : log->Close(); },
      [self = shared_from_this(), done = std::exchange(stopped_, nullptr)](
          absl::Status status) mutable { done(std::move(status)); });
}

}  // namespace cairn::consensus
