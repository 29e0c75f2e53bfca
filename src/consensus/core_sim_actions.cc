// What CoreSim does with the actions of a core.
#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "consensus/core_sim.h"

namespace cairn::consensus {
namespace {

constexpr int64_t kMinDelayUs = 100;
constexpr int64_t kMaxDelayUs = 20000;
constexpr int64_t kMaxStragglerUs = 1500000;
// One AppendEntries of the core is sent as messages of at most so many entries.
constexpr uint64_t kMaxEntriesPerPost = 256;

}  // namespace

void CoreSim::Drain(Node& node) {
  while (node.up()) {
    std::vector<Action> actions = node.core->TakeActions();
    if (actions.empty()) break;
    for (Action& action : actions) {
      Trace(static_cast<uint64_t>(node.id.value()), action.index(),
            node.core->last_index().value());
      if (!std::visit([&](auto& each) { return Do(node, each); }, action)) return;
    }
  }
  if (!node.up()) return;
  // A configuration that came with a reset counts once the reset is durable.
  const Configuration in_log = node.log.ConfigurationAt(node.log.last_index()).second;
  if (!Resets(node) && node.core->configuration() != in_log) {
    checks_.Fail(base::StrCat("node ", node.id.value(), " has '",
                              node.core->configuration().ToString(), "' in force, its log says '",
                              in_log.ToString(), "'"));
  }
  SetTimer(node);
}

bool CoreSim::Do(Node& node, SaveVote& action) {
  if (node.hung || node.broken) {  // its disk does not say yes: nothing of this may happen
    Closed(node);
    return false;
  }
  const bool forward =
      action.term > node.term ||
      (action.term == node.term && (node.vote == NodeId() || node.vote == action.vote));
  if (!forward) {
    checks_.Fail(
        base::StrCat("node ", node.id.value(), " votes twice in term ", action.term.value()));
  }
  node.term = action.term;
  node.vote = action.vote;
  return true;
}

bool CoreSim::Do(Node& node, StoreEntries& action) {
  if (action.first <= node.log.last_index()) ++counts_.truncations;
  checks_.OnStore(node.id, node.log, node.applied, action);
  node.log.Truncate(action.first);
  for (const log::Entry& entry : action.entries) node.log.Append(entry);
  node.jobs.push_back({.store = std::move(action)});
  Write(node);
  return true;
}

bool CoreSim::Do(Node& node, ResetLog& action) {
  ++counts_.snapshots;
  node.log.Reset(action.snapshot);
  node.jobs.push_back({.reset = std::move(action.snapshot)});
  Write(node);
  return true;
}

bool CoreSim::Do(Node& node, SendMessage& action) {
  if (const auto* result = std::get_if<AppendEntriesResult>(&action.message);
      result != nullptr && result->rejected.value() == 0 &&
      result->last_index > node.disk.last_index()) {
    checks_.Fail(base::StrCat("node ", node.id.value(), " acknowledges ",
                              result->last_index.value(), ", durable is ",
                              node.disk.last_index().value()));
  }
  auto* append = std::get_if<AppendEntries>(&action.message);
  if (append == nullptr) {
    Post(node.id, action.to, action.message);
    return true;
  }
  AppendEntries rest = *append;
  do {  // as a transport does that caps its messages
    AppendEntries part = rest;
    part.count = std::min<uint32_t>(rest.count, 1 + dice_.Below(kMaxEntriesPerPost));
    for (uint32_t i = 1; i <= part.count; ++i) {
      part.entries.push_back(node.log.At(part.prev_index + i));
    }
    counts_.entries_sent += part.count;
    rest.count -= part.count;
    rest.prev_index += part.count;
    rest.prev_term = node.log.TermAt(rest.prev_index);
    Post(node.id, action.to, std::move(part));
  } while (rest.count > 0);
  return true;
}

bool CoreSim::Do(Node& node, CommitTo& action) {
  const bool news = action.index > checks_.last_committed();
  while (node.applied < action.index) {
    ++node.applied;
    if (!node.log.Has(node.applied)) continue;  // within a snapshot
    const Index before = checks_.last_committed();
    checks_.OnCommit(node.id, node.core->term(), node.log.At(node.applied));
    counts_.commits += checks_.last_committed() > before;
  }
  if (news) CheckMajority(node, action.index);
  return true;
}

// Whoever is the first to call `index` committed knows that a majority has it on its disk.
void CoreSim::CheckMajority(Node& node, Index index) {
  const Configuration configuration = node.log.ConfigurationAt(node.log.last_index()).second;
  size_t durable = 0;
  for (const Member& member : configuration.members()) {
    const SimLog& disk = this->node(member.node).disk;
    durable += member.role == MemberRole::kVoter &&
               (disk.snapshot_index() >= index || disk.TermAt(index) == node.log.TermAt(index));
  }
  if (durable <= configuration.voter_count() / 2) {
    checks_.Fail(base::StrCat("node ", node.id.value(), " commits ", index.value(), ", durable on ",
                              durable, " of ", configuration.voter_count(), " voters"));
  }
}

bool CoreSim::Do(Node& node, StateChanged& action) {
  if (action.state != RaftState::kLeader) return true;
  ++counts_.elections;
  checks_.OnLeader(node.id, action.term, node.incarnation, node.log);
  return true;
}

bool CoreSim::Do(Node& node, ReadReady& action) {
  const auto read = node.reads.find(action.token);
  if (read == node.reads.end()) return true;
  node.last_read = action.index;
  counts_.reads_served += action.index.has_value();
  if (action.index && *action.index < read->second) {
    checks_.Fail(base::StrCat("stale read on node ", node.id.value(), " at ", action.index->value(),
                              ", ", read->second.value(), " was committed before"));
  }
  node.reads.erase(read);
  return true;
}

bool CoreSim::Do(Node& node, CoreClosed&) {
  Closed(node);
  return false;
}

// ---- links ----

void CoreSim::Split(const std::vector<int>& a, const std::vector<int>& b) {
  for (const int from : a) {
    for (const int to : b) {
      Cut(from, to);
      Cut(to, from);
    }
  }
}

void CoreSim::Post(NodeId from, NodeId to, const Message& message) {
  ++counts_.messages;
  Trace(static_cast<uint64_t>(from.value()), static_cast<uint64_t>(to.value()), message.index());
  if (to.value() > kNodes || cut_[Slot(from, to)] || dice_.Chance(options_.loss_permille)) return;
  if (drop_ && drop_(from, to, message)) return;
  const bool reorders = options_.link == LinkMode::kReorder;
  const int copies = 1 + (reorders && dice_.Chance(options_.double_permille) ? 1 : 0);
  for (int i = 0; i < copies; ++i) {
    int64_t at =
        now_us_ + kMinDelayUs + static_cast<int64_t>(dice_.Below(kMaxDelayUs - kMinDelayUs));
    if (dice_.Chance(options_.straggler_permille)) {
      at += static_cast<int64_t>(dice_.Below(kMaxStragglerUs));
    }
    if (!reorders) {
      at = std::max(at, last_arrival_us_[Slot(from, to)]);
      last_arrival_us_[Slot(from, to)] = at;
    }
    // What is out of order is so by little: not across a departure and a return.
    At(at, [this, from, to, message, reorders, before = node(from).departures] {
      if (!reorders || node(from).departures == before) Deliver(from, to, message);
    });
  }
}

void CoreSim::Deliver(NodeId from, NodeId to, const Message& message) {
  Node& node = this->node(to);
  if (cut_[Slot(from, to)] || !node.up()) return;
  if (node.paused_until_us > now_us_) {
    At(node.paused_until_us, [this, from, to, message] { Deliver(from, to, message); });
    return;
  }
  if (const absl::Status checked = CheckMessage(message); !checked.ok()) {
    checks_.Fail(base::StrCat("node ", from.value(), " sends what CheckMessage refuses: ",
                              base::StdView(checked.message())));
    return;
  }
  node.core->Receive(from, message, NowMs(node));
  Drain(node);
}

}  // namespace cairn::consensus
