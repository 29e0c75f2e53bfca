// RaftCore: the consensus algorithm of one group on one node, as a deterministic object: events in,
// ordered actions out. No thread, clock, disk, socket or entry body of its own.
//
// Sits below RaftReplica, which feeds it events and carries out its actions. The engine behind it
// (libraft, see libraft/) is not visible here and can be replaced.
//
// The contract of the actions, which TakeActions returns after every event:
//   * They are carried out in their order. Nothing that follows a SaveVote may happen before the
//     vote is durable; when it cannot be made durable, the core and its remaining actions are
//     thrown away. StoreEntries and ResetLog only begin in their order: their completion is
//     reported by OnPersisted and OnLogReset, and may come much later.
//   * Events may be fed before earlier actions are completed.
//   * An AppendEntries is filled with entries of the log as it is when the action is carried out
//     (prev_index and count tell which); once this node leads message.term no more, it may be
//     dropped, and must be when the entries behind prev_index have been cut since.
//
// Belongs to the shard's loop; not thread-safe. Calls do not nest.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "base/types.h"
#include "consensus/configuration.h"
#include "consensus/raft_message.h"
#include "log/entry.h"

namespace cairn::consensus {

struct CoreOptions {
  NodeId self;
  uint64_t seed = 1;  // of the election timeouts
  int64_t election_timeout_ms = 1000;
  int64_t heartbeat_ms = 100;
  // A leader takes no more proposals while this many entries are uncommitted, or not yet on its own
  // disk: what a dead quorum or a dead disk may cost in memory.
  uint64_t max_uncommitted_entries = 8192;
  // A node that has entries to store and stored none for longer gives up: as leader it hands its
  // leadership over, then it closes (guard F).
  int64_t disk_stall_ms = 2000;
};

// What a node knows of a group when it starts: the stable store's and the log's word.
struct CoreState {
  Term term;
  NodeId vote;  // 0: none in this term
  // The log holds (snapshot_index, last_index]; what was before is compacted away. An empty log
  // that never had entries has 0 and 0.
  Index snapshot_index;
  Term snapshot_term;
  Index last_index;
  // The runs of equal term within the log, first to last.
  struct TermRun {
    Term term;
    Index first_index;
  };
  std::vector<TermRun> terms;
  // The configuration entries within the log, and before them the one in force at snapshot_index.
  // The first entry of every group is a configuration.
  std::map<Index, Configuration> configurations;
  // The group let this node go once, and this node forgot what it had promised: all of that lies
  // within the group's first so many entries. While its log is shorter, configurations in which it
  // was a voter may be in force in it, so it is passive. 0: it forgot nothing.
  Index forgot_up_to;
};

// ---- actions ----

// Make (term, vote) durable before anything that follows.
struct SaveVote {
  Term term;
  NodeId vote;
};
// Cut the log at `first` if it reaches so far, then append the entries there.
struct StoreEntries {
  Index first;
  std::vector<log::Entry> entries;
  // The core made the entries (barriers, configurations; only on a leader): their base_offset and
  // timestamps are still to be set.
  bool made_here = false;
};
// Forget the whole log; it begins behind snapshot.last_index from now on.
struct ResetLog {
  InstallSnapshot snapshot;
};
struct SendMessage {
  NodeId to;
  Message message;
};
// Everything up to `index` is committed. Never goes back.
struct CommitTo {
  Index index;
};
enum class RaftState : uint8_t { kFollower, kCandidate, kLeader };
// State, term or known leader changed.
struct StateChanged {
  RaftState state;
  Term term;
  NodeId leader;  // 0: unknown
};
// Answer to Read: the index that must be applied before the read is served; nullopt: the leadership
// was lost or could not be proven, ask again.
struct ReadReady {
  uint64_t token;
  std::optional<Index> index;
};
// The core stopped for good (guard F: disk fault). Open the group again from what the disk holds.
struct CoreClosed {
  std::string reason;
};
using Action = std::variant<SaveVote, StoreEntries, ResetLog, SendMessage, CommitTo, StateChanged,
                            ReadReady, CoreClosed>;

class RaftCore {
 public:
  virtual ~RaftCore() = default;

  // ---- events; `now_ms` is monotonic ----

  // First of all; once. Errors: INVALID_ARGUMENT when `state` contradicts itself.
  virtual absl::Status Start(const CoreState& state, int64_t now_ms) = 0;
  // Time has passed. Call when deadline_ms() has come; earlier is harmless.
  virtual void Tick(int64_t now_ms) = 0;
  // A message from a member (or a former one). Entries of AppendEntries are contiguous from
  // prev_index + 1 and pass CheckMessage.
  virtual void Receive(NodeId from, Message message, int64_t now_ms) = 0;
  // Every entry up to `index` is durable, and none of them is being rewritten.
  virtual void OnPersisted(Index index, int64_t now_ms) = 0;
  // The ResetLog for this index is durable.
  virtual void OnLogReset(Index index, int64_t now_ms) = 0;
  // An entry or reset could not be made durable; nothing is known about the disk. Guard F.
  virtual void OnDiskFailed(int64_t now_ms) = 0;
  // Retention removed everything up to `index`, which is committed and durable. A log start that is
  // not ahead of snapshot_index() is ignored, and so is any while a reset is under way.
  virtual void OnCompacted(Index index, int64_t now_ms) = 0;

  // ---- requests ----

  // Appends entries of kind batch as leader. Their headers have index last_index() + 1 and on, and
  // term(). Errors, with nothing appended: UNAVAILABLE with reason NOT_LEADER; RESOURCE_EXHAUSTED
  // with OVERLOADED when max_uncommitted_entries is reached.
  virtual absl::Status Propose(std::span<const log::Entry> entries, int64_t now_ms) = 0;
  // The error with which Propose would refuse as many entries now.
  virtual absl::Status CheckProposable(size_t entries) const = 0;
  // Begins a membership change that differs in one member from the configuration in force. Errors:
  // UNAVAILABLE with NOT_LEADER; FAILED_PRECONDITION naming what it waits for (another change, an
  // own-term commit, a standby that is not caught up) or what is not allowed (this node itself, two
  // at once).
  virtual absl::Status ChangeConfiguration(const Configuration& to, int64_t now_ms) = 0;
  // Begins to hand leadership over to `to`, or to the best follower when 0. StateChanged tells how
  // it went. Errors: UNAVAILABLE with NOT_LEADER; FAILED_PRECONDITION when there is no such voter;
  // ABORTED while it is being handed over already.
  virtual absl::Status Transfer(NodeId to, int64_t now_ms) = 0;
  // Stands for election now instead of when the timeout comes: a voter that knows no leader;
  // otherwise nothing.
  virtual void Campaign(int64_t now_ms) = 0;
  // Asks for a linearizable read; ReadReady with this token answers. Many reads share a probe.
  virtual void Read(uint64_t token, int64_t now_ms) = 0;
  // A passive replica follows, but neither votes nor stands for election: this says that it is, as
  // its log is damaged (CoreState::forgot_up_to is the other reason); call before Start when it is
  // known by then. One that leads takes no proposals: transfer.
  virtual void SetPassive(bool passive) = 0;
  // How many entries may be on their way to one follower.
  virtual void SetMaxInflight(uint32_t entries) = 0;

  // The actions since the last call, in order.
  virtual std::vector<Action> TakeActions() = 0;

  // ---- what it knows ----

  virtual int64_t deadline_ms() const = 0;  // when Tick is due
  virtual RaftState state() const = 0;
  virtual Term term() const = 0;
  virtual NodeId leader() const = 0;
  virtual Index last_index() const = 0;
  virtual Index commit_index() const = 0;
  virtual Index snapshot_index() const = 0;
  // 0 outside [snapshot_index, last_index].
  virtual Term TermAt(Index index) const = 0;
  // In force: the last one in the log, committed or not.
  virtual Configuration configuration() const = 0;
  // No configuration in the log is uncommitted.
  virtual bool configuration_committed() const = 0;
  // A leader whose own term has a committed entry: may change members, serve linearizable reads.
  virtual bool own_term_committed() const = 0;
  // Of a follower, as far as this leader knows. nullopt: not leader, or no member.
  virtual std::optional<Index> MatchIndex(NodeId node) const = 0;
};

// Limits on what a peer may send at once.
inline constexpr size_t kMaxCheckedEntries = 65536;
inline constexpr size_t kMaxSnapshotStateBytes = 64u << 20;

// A message that no sane peer sends: entries not contiguous, terms going back or above the
// message's, an undecodable configuration. Errors: INVALID_ARGUMENT saying which. Call on
// everything that comes from outside.
absl::Status CheckMessage(const Message& message);

std::unique_ptr<RaftCore> NewRaftCore(const CoreOptions& options);

}  // namespace cairn::consensus
