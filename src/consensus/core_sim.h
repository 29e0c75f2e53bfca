// CoreSim: a group of cores on simulated disks and links, in one thread and virtual time. Same
// options, same history. For tests and for the program core_sim.
//
// A disk stores what it is told in order, late, and in pieces; a crash keeps any beginning of what
// was under way. Links lose, delay, and (LinkMode::kReorder) reorder and double messages.
// Everything a node does passes CoreSimChecks; after a violation the simulation stands still.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "consensus/core_sim_checks.h"
#include "consensus/core_sim_log.h"
#include "consensus/libraft/guards.h"
#include "consensus/raft_core.h"

namespace cairn::consensus {

// SplitMix64 (Steele, Lea, Flood 2014).
class Dice {
 public:
  explicit Dice(uint64_t seed) : state_(seed) {}
  uint64_t Next();
  uint64_t Below(uint64_t n) { return Next() % n; }
  bool Chance(uint64_t permille) { return Below(1000) < permille; }

 private:
  uint64_t state_;
};

enum class LinkMode { kFifo, kReorder };

class CoreSim {
 public:
  static constexpr int kNodes = 5;

  struct Options {
    uint64_t seed = 1;
    LinkMode link = LinkMode::kFifo;
    Guards guards;
    uint64_t loss_permille = 0;
    uint64_t double_permille = 0;     // of messages, on reordering links
    uint64_t straggler_permille = 0;  // of messages that take up to 1.5 s
    uint64_t max_uncommitted_entries = 4096;
    bool remember_departures = true;  // off: to show that it is needed
  };

  struct Counts {
    uint64_t commits = 0, entries_sent = 0, messages = 0, crashes = 0, elections = 0, changes = 0,
             refused = 0, snapshots = 0, truncations = 0, compactions = 0, reads = 0,
             reads_served = 0, transfers = 0, closed = 0, departures = 0, proposals = 0,
             overloaded = 0;
    void Add(const Counts& other);
  };

  struct Job {  // one of the three
    std::optional<StoreEntries> store;
    std::optional<InstallSnapshot> reset;
    std::optional<Index> compact;
  };

  struct Node {
    NodeId id;
    // The disk.
    Term term;
    NodeId vote;
    SimLog disk;
    Term departed_term;  // of StableStore::Departure
    Index departed_at;
    uint64_t departures = 0;
    std::deque<Job> jobs;
    bool writing = false;
    bool hung = false;    // the disk takes no writes, without an error
    bool broken = false;  // it fails
    // The process; nullptr: down.
    std::unique_ptr<RaftCore> core;
    SimLog log;  // as the core believes it to be
    uint64_t incarnation = 0;
    int64_t paused_until_us = 0;
    int64_t timer_us = 0;
    int64_t clock_ahead_us = 0;
    Index applied;
    std::map<uint64_t, Index> reads;  // token -> what was committed anywhere when it was asked
    std::optional<Index> last_read;

    bool up() const { return core != nullptr; }
    bool leads() const { return up() && core->state() == RaftState::kLeader; }
  };

  explicit CoreSim(const Options& options);
  ~CoreSim();

  // Starts all nodes; the voters of `configuration` have it as their first entry, the others
  // nothing. Call Prepare before, if at all.
  void Boot(const Configuration& configuration);
  // The same without starting them: for logs of the test's own making.
  void Prepare(const Configuration& configuration);

  Node& node(int id) { return nodes_[static_cast<size_t>(id - 1)]; }
  Node& node(NodeId id) { return node(id.value()); }
  std::array<Node, kNodes>& nodes() { return nodes_; }
  // The leader of the highest term; nullptr: none.
  Node* leader();
  int64_t now_us() const { return now_us_; }
  int64_t NowMs(const Node& node) const { return (now_us_ + node.clock_ahead_us) / 1000; }
  CoreSimChecks& checks() { return checks_; }
  const std::string& violation() const { return checks_.violation(); }
  uint64_t trace_hash() const { return trace_hash_; }
  Counts& counts() { return counts_; }
  Dice& dice() { return dice_; }
  Options& options() { return options_; }

  // ---- time ----
  void At(int64_t at_us, std::function<void()> what);
  // Until `until` holds, at most `ms`. Returns whether it does; false after a violation.
  bool RunUntil(int64_t ms, const std::function<bool()>& until);
  void Run(int64_t ms);

  // ---- what happens to nodes ----
  void Start(Node& node);
  void Crash(Node& node);
  void Pause(Node& node, int64_t ms) { node.paused_until_us = now_us_ + ms * 1000; }
  // Its group has let it go, as that leader says: its disk forgets all but this.
  void Depart(Node& node, Term leader_term, Index committed);
  void SetHung(Node& node, bool hung);
  // Restarts nodes that close themselves.
  void Supervise(bool on) { supervise_ = on; }

  // ---- what is asked of them ----
  absl::Status Propose(Node& node, int count = 1);
  absl::Status Change(Node& node, const Configuration& to);
  absl::Status Transfer(Node& node, NodeId to = NodeId());
  void Read(Node& node);
  // Up to `index`, which is committed and durable there; otherwise nothing happens.
  void Compact(Node& node, Index index);
  // As if it came from a peer.
  void Inject(Node& node, NodeId from, Message message);

  // ---- links ----
  void Cut(int from, int to) { cut_[Slot(from, to)] = true; }
  void Split(const std::vector<int>& a, const std::vector<int>& b);
  void Heal() { cut_.fill(false); }
  // Loses the messages for which it returns true.
  void SetDrop(std::function<bool(NodeId from, NodeId to, const Message&)> drop) {
    drop_ = std::move(drop);
  }

 private:
  struct Event {
    int64_t at_us;
    uint64_t order;
    std::function<void()> what;
    bool operator<(const Event& other) const {
      return at_us != other.at_us ? at_us > other.at_us : order > other.order;
    }
  };
  static size_t Slot(int from, int to) { return static_cast<size_t>(from * (kNodes + 1) + to); }
  static size_t Slot(NodeId from, NodeId to) { return Slot(from.value(), to.value()); }

  // Carries out the core's actions, and sets the timer.
  void Drain(Node& node);
  bool Do(Node& node, SaveVote& action);
  bool Do(Node& node, StoreEntries& action);
  bool Do(Node& node, ResetLog& action);
  bool Do(Node& node, SendMessage& action);
  bool Do(Node& node, CommitTo& action);
  bool Do(Node& node, StateChanged& action);
  bool Do(Node& node, ReadReady& action);
  bool Do(Node& node, CoreClosed& action);
  void CheckMajority(Node& node, Index index);
  void Closed(Node& node);
  static bool Resets(const Node& node);  // a ResetLog is under way
  void Post(NodeId from, NodeId to, const Message& message);
  void Deliver(NodeId from, NodeId to, const Message& message);
  void SetTimer(Node& node);
  void Write(Node& node);
  void Written(Node& node, size_t jobs);
  void Apply(Node& node, const Job& job, size_t entries);
  void Trace(uint64_t a, uint64_t b, uint64_t c);

  Options options_;
  Dice dice_;
  CoreSimChecks checks_;
  Counts counts_;
  std::array<Node, kNodes> nodes_;
  std::priority_queue<Event> events_;
  uint64_t event_order_ = 0;
  int64_t now_us_ = 1000000;
  uint64_t trace_hash_ = 0xcbf29ce484222325;
  uint64_t proposed_ = 0;
  uint64_t read_token_ = 0;
  bool supervise_ = false;
  std::array<bool, (kNodes + 1) * (kNodes + 1)> cut_{};
  std::array<int64_t, (kNodes + 1) * (kNodes + 1)> last_arrival_us_{};
  std::function<bool(NodeId, NodeId, const Message&)> drop_;
};

}  // namespace cairn::consensus
