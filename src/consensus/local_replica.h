// LocalReplica: a partition with one replica. Committed means: on this node's disk.
//
// After a disk fault (a failed sync, or a write that could not be taken back) nothing is known
// about the file: the replica rejects everything, and opens the log again from what the disk really
// holds, after a pause that doubles up to a limit. A full disk is no fault: the write is rejected,
// the next one tries again.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "consensus/group_commit.h"
#include "consensus/replica.h"
#include "env/clock.h"
#include "env/executor.h"
#include "env/file_system.h"
#include "log/log.h"

namespace cairn::consensus {

class LocalReplica final : public Replica,
                           public GroupCommit::Source,
                           public std::enable_shared_from_this<LocalReplica> {
 public:
  struct Dependencies {
    env::FileSystem* fs;
    env::Clock* clock;
    env::Executor* loop;
    GroupCommit* group_commit;
  };

  // Takes over an open log; all that it holds is committed. `owner` outlives the replica until Stop
  // is done.
  LocalReplica(Dependencies dependencies, std::unique_ptr<log::Log> log, Owner& owner);

  absl::StatusOr<log::EntryHeader> Propose(log::Batch batch) override;
  Offset next_offset() const override { return next_offset_; }
  std::shared_ptr<const log::Log> log() const override;
  void RunOnLog(LogOperation operation, absl::AnyInvocable<void(absl::Status)> done) override;
  void Stop(absl::AnyInvocable<void(absl::Status)> done) override;

  std::vector<log::Entry> TakePending() override;
  std::shared_ptr<log::Log> writable_log() override { return log_; }
  void OnPersisted(Offset end, const absl::Status& status) override;

 private:
  void Commit(Offset end);
  void Reject(const absl::Status& error);
  void Fail(const absl::Status& cause);
  void ScheduleReopen();
  void Reopened(absl::StatusOr<std::unique_ptr<log::Log>> opened);
  void FinishStop();

  const Dependencies dependencies_;
  Owner& owner_;
  std::shared_ptr<log::Log> log_;  // shared: readers keep the one they use
  mutable base::Mutex mutex_;
  std::shared_ptr<const log::Log> published_ CAIRN_GUARDED_BY(mutex_);

  Index next_index_;
  Offset next_offset_;
  Offset committed_;
  Term term_;
  std::vector<log::Entry> pending_;
  bool scheduled_ = false;  // known to the group commit
  int writing_ = 0;         // groups with our entries that were not reported: two for a moment
  absl::Status failure_;    // why nothing can be proposed; OK normally
  int64_t reopen_pause_ms_ = 0;
  bool reopening_ = false;  // an opening is planned or under way
  bool stopping_ = false;
  absl::AnyInvocable<void(absl::Status)> stopped_;
};

}  // namespace cairn::consensus
