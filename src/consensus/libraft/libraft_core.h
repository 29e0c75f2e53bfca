// LibraftCore: RaftCore on libraft's raft_step().
//
// raft_step takes an event and fills in an update; this class turns our events into the engine's,
// its updates into our actions, and applies the guards (guards.h) on the way. The engine has no
// thread, clock or I/O and keeps no entries, only where terms begin (its "trail"); so do we
// (TermTable), and besides that the configurations of the log.
//
//   libraft_start.cc     Start: the engine's state from runs of terms, not from entries
//   libraft_step.cc      one step of the engine and what came out of it
//   libraft_receive.cc   messages in
//   libraft_send.cc      messages out
//   libraft_core.cc      time, disk, requests, queries
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "consensus/libraft/engine.h"
#include "consensus/libraft/guards.h"
#include "consensus/libraft/read_probes.h"
#include "consensus/libraft/term_table.h"
#include "consensus/raft_core.h"

namespace cairn::consensus {

class LibraftCore final : public RaftCore {
 public:
  LibraftCore(const CoreOptions& options, const Guards& guards);
  ~LibraftCore() override;
  LibraftCore(const LibraftCore&) = delete;
  LibraftCore& operator=(const LibraftCore&) = delete;

  absl::Status Start(const CoreState& state, int64_t now_ms) override;
  void Tick(int64_t now_ms) override;
  void Receive(NodeId from, Message message, int64_t now_ms) override;
  void OnPersisted(Index index, int64_t now_ms) override;
  void OnLogReset(Index index, int64_t now_ms) override;
  void OnDiskFailed(int64_t now_ms) override;
  void OnCompacted(Index index, int64_t now_ms) override;

  absl::Status Propose(std::span<const log::Entry> entries, int64_t now_ms) override;
  absl::Status CheckProposable(size_t entries) const override;
  absl::Status ChangeConfiguration(const Configuration& to, int64_t now_ms) override;
  absl::Status Transfer(NodeId to, int64_t now_ms) override;
  void Campaign(int64_t now_ms) override;
  void Read(uint64_t token, int64_t now_ms) override;
  void SetPassive(bool passive) override { passive_ = passive; }
  void SetMaxInflight(uint32_t entries) override;

  std::vector<Action> TakeActions() override;

  int64_t deadline_ms() const override;
  RaftState state() const override;
  Term term() const override { return FromEngineTerm(raft_.current_term); }
  NodeId leader() const override;
  Index last_index() const override { return terms_.last_index(); }
  Index commit_index() const override { return commit_; }
  Index snapshot_index() const override { return terms_.snapshot_index(); }
  Term TermAt(Index index) const override { return terms_.TermAt(index); }
  Configuration configuration() const override;
  bool configuration_committed() const override;
  bool own_term_committed() const override;
  std::optional<Index> MatchIndex(NodeId node) const override;

 private:
  // Our entries behind the engine's view of them, for one step.
  struct StepEntries {
    explicit StepEntries(std::span<const log::Entry> entries, void* entry_batch);
    std::span<const log::Entry> ours;
    std::vector<std::string> bodies;  // configurations in the engine's encoding
    std::vector<raft_entry> views;
    void* batch;
  };

  // ---- libraft_start.cc
  static absl::Status CheckState(const CoreState& state);
  void LoadEngine(const CoreState& state);
  void LoadEngineWithEntries(const CoreState& state);

  // ---- libraft_step.cc
  raft_time EngineTime() const;
  // Brings the clock forward; it never goes back, which the engine relies on.
  void Advance(int64_t now_ms);
  // One raft_step with what comes out of it. Returns the engine's error, 0 for none.
  int Step(raft_event& event, StepEntries* entries = nullptr);
  // The same for events that cannot fail unless a peer or the engine is broken: closes the core.
  void MustStep(raft_event& event, const char* what, StepEntries* entries = nullptr);
  void CarryOut(const raft_update& update, StepEntries* entries);
  void TakeEntries(const raft_update& update, StepEntries* entries);
  void TakeSnapshot(const raft_update& update);
  void AnnounceState();
  void AnnounceCommit();
  void AppendBarrier();
  void Close(std::string reason);

  // ---- libraft_receive.cc
  void Take(NodeId from, const RequestVote& message);
  void Take(NodeId from, const RequestVoteResult& message);
  void Take(NodeId from, const AppendEntries& message);
  void Take(NodeId from, AppendEntriesResult message);
  void Take(NodeId from, const InstallSnapshot& message);
  void Take(NodeId from, const TimeoutNow& message);
  void Take(NodeId from, const Probe& message);
  void Take(NodeId from, const ProbeResult& message);
  void TakeAppendPart(NodeId from, const AppendEntries& message, Index prev_index, Term prev_term,
                      std::span<const log::Entry> entries);
  void ReceiveStep(NodeId from, raft_message& message, StepEntries* entries = nullptr);
  void AnswerStaleLeader(NodeId from);
  bool IsUsefulResult(NodeId from, AppendEntriesResult& message) const;
  void WatchForLosses(NodeId from, const AppendEntriesResult& message);

  // ---- libraft_send.cc
  void Send(const raft_message& message);
  void SendAppend(NodeId to, const raft_append_entries& message);
  void SendSnapshot(NodeId to, Index index, Term term);
  void AskNewcomer(NodeId node);
  void HandOverWhenMatched();
  void Emit(NodeId to, Message message);

  // ---- libraft_core.cc
  void EndElectionRound();
  bool passive() const { return passive_ || last_index() < forgot_up_to_; }
  bool leads() const { return !closed_ && raft_.state == RAFT_LEADER; }
  bool IsSoleVoter() const;
  int64_t ElectionDeadline() const;
  int Submit(StepEntries& entries);
  absl::Status NotLeader() const;
  absl::Status CheckChange(const Configuration& to) const;
  void PollReads();
  void WatchDisk();
  void StepAside(std::string reason);

  const CoreOptions options_;
  const Guards guards_;
  raft raft_;
  int64_t now_ms_ = 0;
  bool started_ = false;
  bool closed_ = false;
  bool passive_ = false;
  Index forgot_up_to_;
  int64_t ticked_ms_ = 0;

  TermTable terms_;
  std::map<Index, Configuration> configurations_;  // of the log, and the one at snapshot_index
  Index commit_;                                   // announced by CommitTo
  Index configuration_applied_;  // the engine knows the configurations up to here as committed
  std::optional<InstallSnapshot> installing_;           // the ResetLog that is not durable yet
  const InstallSnapshot* incoming_snapshot_ = nullptr;  // during its step
  Term incoming_prev_term_;                     // of the AppendEntries during its step (G13)
  int64_t heard_leader_ms_ = 0;                 // G9
  std::optional<int64_t> disk_waits_since_ms_;  // F: since then no entry became durable
  std::optional<int64_t> aside_since_ms_;       // F
  std::string aside_reason_;
  std::map<NodeId, uint64_t> newcomers_;  // G17: the sequence of the probe that each is to answer
  std::map<NodeId, int64_t> lost_since_ms_;  // G18: when each began to reject what it acknowledged
  std::optional<NodeId> hand_over_to_;       // G16: once it has acknowledged all
  StateChanged announced_{RaftState::kFollower, Term(), NodeId()};
  ReadProbes reads_;
  std::vector<Action> actions_;
};

}  // namespace cairn::consensus
