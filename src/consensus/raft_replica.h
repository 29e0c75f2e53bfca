// RaftReplica: one replica of a Raft group: drives the core, carries out its actions on the log,
// the stable store and the links to the other nodes.
//
// Everything runs on the shard's loop, but for what is marked. The contract of the core's actions
// (raft_core.h) is kept by one queue: what follows a vote or a configuration waits until it is in
// the stable store; entries go through the group commit; messages to followers through outboxes.
//
// After a disk fault nothing is known about the file: the core hands leadership over and closes,
// and the group is opened again from what the disk really holds, after a pause that doubles up to a
// limit. A full disk under a sole voter is no fault: nothing was stored, the next proposal tries
// again.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/lazy_deque.h"
#include "base/mutex.h"
#include "consensus/group_commit.h"
#include "consensus/peer_link.h"
#include "consensus/peer_outbox.h"
#include "consensus/raft_core.h"
#include "consensus/raft_counters.h"
#include "consensus/replica.h"
#include "consensus/stable_store.h"
#include "consensus/write_traces.h"
#include "env/clock.h"
#include "env/executor.h"
#include "env/file_system.h"
#include "env/random.h"
#include "log/log.h"

namespace cairn::consensus {

// How a group is doing, for operators and for the reconcile loop.
struct ReplicaStatus {
  bool open = false;  // false: the disk failed; `trouble` says how
  std::string trouble;
  RaftState state = RaftState::kFollower;
  Term term;
  NodeId leader;
  Index commit_index;
  Index last_index;
  Index first_index;
  Offset high_watermark;
  Configuration configuration;
  bool configuration_committed = false;
  bool own_term_committed = false;
  std::map<NodeId, Index> match;  // of the other members; on the leader
};

class RaftReplica final : public Replica,
                          public GroupCommit::Source,
                          public PeerOutbox::Source,
                          public std::enable_shared_from_this<RaftReplica> {
 public:
  struct Dependencies {
    env::FileSystem* fs;
    env::Clock* clock;
    env::Random* random;
    env::Executor* loop;
    env::Executor* reader;  // blocking reads of old entries for followers
    GroupCommit* group_commit;
    StableStore* stable;
    PeerLink* peers;
    RaftCounters* counters;
    // Told, on the loop, that the group closed here and will be opened again, and why. May be
    // empty.
    std::function<void(GroupId group, const absl::Status& why)> on_closed = {};
    telemetry::Tracer* tracer = nullptr;  // null: nothing is traced
  };
  struct Options {
    GroupId group;
    NodeId self;
    int64_t election_timeout_ms = 1000;
    int64_t heartbeat_ms = 100;
    uint64_t max_inflight_bytes = 32 << 20;  // on their way to one follower
  };

  // Takes over an open log and the state that LoadCoreState found. `owner` outlives the replica
  // until Stop is done. Start begins to take part.
  RaftReplica(Dependencies dependencies, Options options, std::unique_ptr<log::Log> log,
              CoreState state, Owner& owner);
  ~RaftReplica() override;

  void Start();

  // ---- Replica ----
  absl::StatusOr<log::EntryHeader> Propose(log::Batch batch) override;
  absl::Status ProposeTogether(absl::FunctionRef<void()> propose) override;
  absl::Status CheckProposable() const override;
  Offset next_offset() const override { return next_offset_; }
  std::shared_ptr<const log::Log> log() const override;
  void ReadBarrier(absl::AnyInvocable<void(absl::Status)> done) override;
  void RunOnLog(LogOperation operation, absl::AnyInvocable<void(absl::Status)> done) override;
  void Stop(absl::AnyInvocable<void(absl::Status)> done) override;
  void DropWaiting() override;

  // ---- the group ----
  void Receive(NodeId from, Message message);
  // As RaftCore::ChangeConfiguration and Transfer.
  absl::Status ChangeConfiguration(const Configuration& to);
  absl::Status Transfer(NodeId to);
  // Stands for election at once when there is no leader: whoever made the group begins.
  void Campaign();
  // Looks whether the log is damaged: while it is, and there are other voters, this replica neither
  // votes nor leads. To be called now and then, and when it was repaired.
  void CheckDamage();
  // Entries up to here are committed, and what this disk holds of them is final.
  Index committed_here() const { return std::min(commit_index_, persisted_); }
  ReplicaStatus Status() const;
  // Any thread.
  bool is_leader() const { return is_leader_.load(std::memory_order_acquire); }
  NodeId leader() const { return NodeId(leader_.load(std::memory_order_acquire)); }
  Term published_term() const { return Term(term_.load(std::memory_order_acquire)); }
  // It leads, and an entry of its term is committed: it serves all that was ever committed.
  bool serves() const { return serves_.load(std::memory_order_acquire); }
  GroupId group() const { return options_.group; }

  // ---- GroupCommit::Source ----
  LogWork TakePending() override;
  std::shared_ptr<log::Log> writable_log() override { return log_; }
  void OnPersisted(const LogWork& work, const absl::Status& status) override;

  // ---- PeerOutbox::Source ----
  std::optional<std::vector<log::Entry>> EntriesInMemory(Index from, Index limit,
                                                         size_t max_bytes) override;
  void ReadEntries(Index from, Index limit, size_t max_bytes, ReadCallback done) override;
  void OnSend(NodeId to, std::span<log::Entry> entries) override;
  bool LeadsIn(Term term) const override;
  Term TermAt(Index index) const override;
  Index commit_index() const override;

 private:
  struct EntryEnd {
    Index index;
    Offset end;
  };

  int64_t NowMs() const { return dependencies_.clock->MonotonicNs() / 1'000'000; }
  absl::Status NotLeader() const;

  void StartCore(const CoreState& state);
  // After every event of the core: takes its actions, notes what is to be known at once, performs
  // what may be performed, sets the timer.
  void Drain();
  void NoteStored(StoreEntries& store);
  void Perform();
  bool NeedsStableWrite(const Action& action) const;
  void WriteStable(const Action& held);
  void PerformOne(Action& action);
  void Store(StoreEntries store);
  void Reset(const ResetLog& reset);
  void Send(SendMessage send);
  void OnStateChanged(const StateChanged& change);
  void OnCoreClosed(const CoreClosed& closed);
  void FinishRead(const ReadReady& ready);
  void ScheduleDisk();
  int64_t TimerGridMs() const;
  int64_t RoundUpDeadline(int64_t due_ms) const;
  void ArmTimer();
  void OnTimer();
  void AdvanceCommit(Index index);
  void PublishCommitted();
  void PublishLater();
  // The offset behind the entry at `index`, which is in the log.
  absl::StatusOr<Offset> EndOffsetOf(Index index) const;
  void SetInflightLimit(const std::vector<log::Entry>& entries);
  void TellFollowersOfCommit();

  void OnDiskError(const absl::Status& status);
  void TakeBack(const absl::Status& error);
  bool HasSpace() const;
  void WaitForSpace();
  void Close(const absl::Status& why);
  void ScheduleReopen();
  void Reopened(absl::StatusOr<std::unique_ptr<log::Log>> log, absl::StatusOr<CoreState> state);
  void FinishStop();

  const Dependencies dependencies_;
  const Options options_;
  Owner& owner_;
  std::shared_ptr<log::Log> log_;  // shared: readers keep the one they use
  mutable base::Mutex mutex_;
  std::shared_ptr<const log::Log> published_ CAIRN_GUARDED_BY(mutex_);

  CoreState initial_;
  std::unique_ptr<RaftCore> core_;   // null: closed
  bool passive_ = false;             // the core is
  base::LazyDeque<Action> outputs_;  // of the core, not performed yet
  bool answering_heartbeat_ = false;
  bool stable_write_ = false;  // the first of them waits for the stable store
  uint64_t epoch_ = 0;         // of the core: what belongs to an earlier one is passed over
  env::Executor::TimerId timer_ = 0;
  int64_t timer_ms_ = INT64_MAX;  // when it fires

  std::vector<log::Entry> together_;  // proposed within ProposeTogether
  bool proposing_together_ = false;

  // Of the log as the core sees it, and of what is proposed together.
  Offset next_offset_;
  base::LazyDeque<EntryEnd> ends_;         // of entries not committed, appended since the start
  base::LazyDeque<log::Entry> unwritten_;  // entries not known to be durable
  WriteTraces traces_;

  // Of the log as the disk was told.
  Index stored_last_;
  Index persisted_;
  LogWork pending_;
  bool scheduled_ = false;
  base::LazyDeque<std::optional<Index>> taken_;  // work under way: where each cuts
  bool disk_failed_ = false;  // nothing more is written, until the log was opened again
  bool disk_full_ = false;    // why
  bool resetting_ = false;

  Index commit_index_;
  Offset high_watermark_;
  bool has_published_ = false;
  std::atomic<bool> is_leader_{false};
  std::atomic<int32_t> leader_{0};
  std::atomic<int32_t> term_{0};
  std::atomic<bool> serves_{false};

  // In the order of the nodes: what is done for all of them is done in the same order by every run.
  std::map<NodeId, std::shared_ptr<PeerOutbox>> outboxes_;
  bool commit_notice_ = false;  // a task that tells followers of the commit is posted
  bool publishes_later_ = false;

  uint64_t next_read_ = 1;
  struct PendingRead {
    absl::AnyInvocable<void(absl::Status)> done;
    std::optional<Index> index;  // proven; waits until it is committed here
  };
  std::map<uint64_t, PendingRead> reads_;

  absl::Status failure_;  // why nothing can be proposed; OK while the core is open
  int64_t reopen_pause_ms_ = 0;
  bool reopening_ = false;
  bool stopping_ = false;
  absl::AnyInvocable<void(absl::Status)> stopped_;
};

}  // namespace cairn::consensus
