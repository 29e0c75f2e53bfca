// What a RaftCore does step by step; whole groups with faults are core_sim_test's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error_info.h"
#include "consensus/libraft/lone_core.h"
#include "consensus/raft_core.h"

namespace cairn::consensus {
namespace {

constexpr NodeId k1(1);
constexpr NodeId k2(2);
constexpr NodeId k3(3);

CoreState BornWith(const Configuration& configuration) {
  CoreState state;
  state.term = Term(1);
  state.last_index = Index(1);
  state.terms = {{Term(1), Index(1)}};
  state.configurations = {{Index(1), configuration}};
  return state;
}

// Nodes with a disk and a network that do everything at once.
class Group {
 public:
  void Add(NodeId node, const CoreState& state) {
    CoreOptions options;
    options.self = node;
    options.seed = static_cast<uint64_t>(node.value());
    Node& added = nodes_[node];
    added.core = NewRaftCore(options);
    ASSERT_TRUE(added.core->Start(state, now_ms_).ok());
    added.log.resize(1);
    for (const auto& [index, configuration] : state.configurations) {  // all there is of a new log
      added.log.push_back(log::MakeControlEntry(
          log::EntryKind::kConfiguration, configuration.Encode(), index, Term(1), Offset(0), 0));
    }
    Settle();
  }
  RaftCore& core(NodeId node) { return *nodes_[node].core; }
  NodeId leader() const {
    for (const auto& [id, node] : nodes_) {
      if (node.core->state() == RaftState::kLeader) return id;
    }
    return NodeId();
  }
  void Run(int64_t ms) {
    for (const int64_t end = now_ms_ + ms; now_ms_ < end; ++now_ms_) {
      for (auto& [id, node] : nodes_) {
        if (node.core->deadline_ms() <= now_ms_) node.core->Tick(now_ms_);
      }
      Settle();
    }
  }
  absl::Status Propose(NodeId node, int count) {
    RaftCore& at = core(node);
    std::vector<log::Entry> entries;
    for (int i = 0; i < count; ++i) {
      log::Batch batch;
      batch.records = "x";
      batch.record_count = 1;
      entries.push_back(log::MakeBatchEntry(batch, at.last_index() + 1 + static_cast<uint64_t>(i),
                                            at.term(), Offset(0)));
    }
    const absl::Status status = at.Propose(entries, now_ms_);
    Settle();
    return status;
  }
  void Settle() {
    for (bool again = true; again;) {
      again = false;
      for (auto& [id, node] : nodes_) {
        for (Action& action : node.core->TakeActions()) {
          again = true;
          // clang 14 captures no structured bindings.
          std::visit([this, from = id, at = &node](auto& each) { Do(from, *at, each); }, action);
        }
      }
    }
  }
  int64_t now_ms() const { return now_ms_; }
  std::map<uint64_t, std::optional<Index>> reads;

 private:
  struct Node {
    std::unique_ptr<RaftCore> core;
    std::vector<log::Entry> log;  // by index
  };
  void Do(NodeId, Node& node, StoreEntries& each) {
    node.log.resize(each.first.value());
    for (auto& entry : each.entries) node.log.push_back(std::move(entry));
    node.core->OnPersisted(Index(node.log.size() - 1), now_ms_);
  }
  void Do(NodeId, Node& node, ResetLog& each) {
    node.log.assign(each.snapshot.last_index.value() + 1, {});
    node.core->OnLogReset(each.snapshot.last_index, now_ms_);
  }
  void Do(NodeId from, Node& node, SendMessage& each) {
    const auto to = nodes_.find(each.to);
    if (to == nodes_.end()) return;
    if (auto* append = std::get_if<AppendEntries>(&each.message)) {
      const auto first = node.log.begin() + static_cast<ptrdiff_t>(append->prev_index.value()) + 1;
      append->entries.assign(first, first + append->count);
    }
    EXPECT_TRUE(CheckMessage(each.message).ok()) << CheckMessage(each.message);
    to->second.core->Receive(from, std::move(each.message), now_ms_);
  }
  void Do(NodeId, Node&, ReadReady& each) { reads[each.token] = each.index; }
  void Do(NodeId, Node&, CoreClosed& each) { ADD_FAILURE() << each.reason; }
  void Do(NodeId, Node&, SaveVote&) {}
  void Do(NodeId, Node&, CommitTo&) {}
  void Do(NodeId, Node&, StateChanged&) {}

  int64_t now_ms_ = 0;
  std::map<NodeId, Node> nodes_;
};

TEST(LibraftCoreTest, ASoleVoterLeadsAtOnce) {
  Group group;
  group.Add(k1, BornWith(Configuration::OfVoters({k1})));
  EXPECT_EQ(group.leader(), k1);
  EXPECT_EQ(group.core(k1).term(), Term(2));
  EXPECT_TRUE(group.core(k1).own_term_committed());
  ASSERT_TRUE(group.Propose(k1, 3).ok());
  EXPECT_EQ(group.core(k1).commit_index(), Index(5));  // configuration, barrier, 3 batches
}

TEST(LibraftCoreTest, ThreeNodesElectAndReplicate) {
  Group group;
  for (const NodeId node : {k1, k2, k3}) {
    group.Add(node, BornWith(Configuration::OfVoters({k1, k2, k3})));
  }
  group.Run(5000);
  const NodeId leader = group.leader();
  ASSERT_NE(leader, NodeId());
  ASSERT_TRUE(group.Propose(leader, 100).ok());
  group.Run(200);
  for (const NodeId node : {k1, k2, k3}) {
    EXPECT_EQ(group.core(node).commit_index(), Index(102));
    EXPECT_EQ(group.core(node).leader(), leader);
    EXPECT_TRUE(group.core(node).configuration_committed());
  }
  const NodeId other = leader == k1 ? k2 : k1;
  const absl::Status refused = group.Propose(other, 1);
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  const auto info = base::GetErrorInfo(refused);
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->reason, base::reason::kNotLeader);
  EXPECT_EQ(info->metadata.at("leader_id"), std::to_string(leader.value()));
}

TEST(LibraftCoreTest, LeadershipIsHandedOver) {
  Group group;
  for (const NodeId node : {k1, k2, k3}) {
    group.Add(node, BornWith(Configuration::OfVoters({k1, k2, k3})));
  }
  group.Run(5000);
  const NodeId leader = group.leader();
  const NodeId other = leader == k1 ? k2 : k1;
  ASSERT_TRUE(group.core(leader).Transfer(other, group.now_ms()).ok());
  group.Run(1);
  EXPECT_EQ(group.leader(), other);
  EXPECT_EQ(group.core(leader).Transfer(k3, group.now_ms()).code(), absl::StatusCode::kUnavailable);
}

TEST(LibraftCoreTest, AStandbyIsAddedCaughtUpAndPromoted) {
  Group group;
  group.Add(k1, BornWith(Configuration::OfVoters({k1})));
  group.Add(k2, CoreState());
  ASSERT_TRUE(group.Propose(k1, 50).ok());
  const Configuration with = group.core(k1).configuration().With(k2, MemberRole::kStandby);
  const absl::Status direct =
      group.core(k1).ChangeConfiguration(with.With(k2, MemberRole::kVoter), group.now_ms());
  EXPECT_EQ(direct.code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(group.core(k1).ChangeConfiguration(with, group.now_ms()).ok());
  group.Run(500);
  EXPECT_EQ(group.core(k1).MatchIndex(k2), group.core(k1).last_index());
  const absl::Status promoted =
      group.core(k1).ChangeConfiguration(with.With(k2, MemberRole::kVoter), group.now_ms());
  ASSERT_TRUE(promoted.ok()) << promoted;
  group.Run(500);
  EXPECT_EQ(group.core(k2).configuration(), Configuration::OfVoters({k1, k2}));
  EXPECT_TRUE(group.core(k2).configuration_committed());
  EXPECT_EQ(group.core(k2).commit_index(), group.core(k1).last_index());
}

TEST(LibraftCoreTest, AReadWaitsForAMajority) {
  Group group;
  for (const NodeId node : {k1, k2, k3}) {
    group.Add(node, BornWith(Configuration::OfVoters({k1, k2, k3})));
  }
  group.Run(5000);
  const NodeId leader = group.leader();
  group.core(leader).Read(7, group.now_ms());
  group.core(leader).Read(8, group.now_ms());
  EXPECT_TRUE(group.reads.empty());
  group.Settle();
  EXPECT_EQ(group.reads.at(7), group.core(leader).commit_index());
  EXPECT_EQ(group.reads.at(8), group.core(leader).commit_index());
  const NodeId other = leader == k1 ? k2 : k1;
  group.core(other).Read(9, group.now_ms());
  group.Settle();
  EXPECT_EQ(group.reads.at(9), std::nullopt);
}

TEST(LibraftCoreTest, RefusesProposalsBeyondItsLimit) {
  CoreOptions options;
  options.self = k1;
  options.max_uncommitted_entries = 2;
  const auto core = NewRaftCore(options);
  ASSERT_TRUE(core->Start(BornWith(Configuration::OfVoters({k1})), 0).ok());
  core->OnPersisted(core->last_index(), 0);
  const auto propose = [&] {
    log::Batch batch;
    batch.record_count = 1;
    const std::vector<log::Entry> entries = {
        log::MakeBatchEntry(batch, core->last_index() + 1, core->term(), Offset(0))};
    return core->Propose(entries, 0);
  };
  EXPECT_TRUE(propose().ok());
  EXPECT_TRUE(propose().ok());
  const absl::Status full = propose();
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(base::GetErrorInfo(full)->reason, base::reason::kOverloaded);
  core->OnPersisted(core->last_index(), 0);
  EXPECT_TRUE(propose().ok());
}

TEST(LibraftCoreTest, APassiveNodeNeitherVotesNorStands) {
  CoreOptions options;
  options.self = k1;
  const auto core = NewRaftCore(options);
  core->SetPassive(true);
  ASSERT_TRUE(core->Start(BornWith(Configuration::OfVoters({k1, k2, k3})), 0).ok());
  core->TakeActions();
  for (int64_t now = 0; now < 10000; now += 100) core->Tick(now);
  core->Receive(k2, RequestVote{Term(5), Index(9), Term(4), true, false}, 10000);
  core->Receive(k2, TimeoutNow{Term(1), Index(1), Term(1)}, 10000);
  EXPECT_TRUE(core->TakeActions().empty());
  // It follows.
  core->Receive(k2, AppendEntries{Term(2), Index(1), Term(1), Index(1), 0, {}}, 10000);
  EXPECT_EQ(core->leader(), k2);
  EXPECT_EQ(core->term(), Term(2));
}

TEST(LibraftCoreTest, ANodeThatIsPassiveNoMoreVotesAndStands) {
  CoreOptions options;
  options.self = k1;
  const auto core = NewRaftCore(options);
  core->SetPassive(true);
  ASSERT_TRUE(core->Start(BornWith(Configuration::OfVoters({k1, k2, k3})), 0).ok());
  core->TakeActions();
  core->Tick(10'000);
  EXPECT_TRUE(core->TakeActions().empty());
  core->SetPassive(false);
  EXPECT_LT(core->deadline_ms(), 20'000);
  core->Receive(k2, RequestVote{Term(5), Index(9), Term(4), true, false}, 10'100);
  EXPECT_EQ(core->term(), Term(5));
  for (int64_t now = 11'000; now < 20'000; now += 100) core->Tick(now);
  EXPECT_EQ(core->state(), RaftState::kCandidate);
}

// Its group let it go at entry 3, and took it in again: its log begins with the configuration in
// which it was the only voter.
TEST(LibraftCoreTest, WhoForgotItsPromisesIsPassiveUntilItsLogHasAllThatTheyConcerned) {
  CoreState state;
  state.term = Term(4);
  state.forgot_up_to = Index(3);
  CoreOptions options;
  options.self = k1;
  const auto core = NewRaftCore(options);
  ASSERT_TRUE(core->Start(state, 0).ok());
  const Configuration alone = Configuration::OfVoters({k1});
  const Configuration let_go = Configuration::OfVoters({k2, k3});
  const Configuration again = let_go.With(k1, MemberRole::kVoter);
  const auto expect_passive = [&](int64_t from) {
    core->TakeActions();
    for (int64_t now = from; now < from + 5'000; now += 100) core->Tick(now);
    core->Campaign(from + 5'000);
    core->Receive(k3, RequestVote{Term(9), Index(9), Term(8), true, false}, from + 5'000);
    EXPECT_TRUE(core->TakeActions().empty());
    EXPECT_EQ(core->state(), RaftState::kFollower);
  };
  expect_passive(0);
  // A leader that does not know yet that the node was let go.
  core->Receive(k3, AppendEntries{Term(3), Index(), Term(), Index(), 0, {}}, 6'000);
  EXPECT_EQ(core->leader(), NodeId());
  core->Receive(k2,
                AppendEntries{Term(5),
                              Index(),
                              Term(),
                              Index(1),
                              2,
                              {ConfigurationEntry(1, 1, alone), BatchEntry(2, 1)}},
                7'000);
  core->OnPersisted(Index(2), 7'000);
  EXPECT_EQ(core->configuration().ToString(), alone.ToString());
  expect_passive(8'000);
  core->Receive(k2,
                AppendEntries{Term(5),
                              Index(2),
                              Term(1),
                              Index(4),
                              2,
                              {ConfigurationEntry(3, 2, let_go), ConfigurationEntry(4, 5, again)}},
                14'000);
  core->OnPersisted(Index(4), 14'000);
  core->TakeActions();
  core->Receive(k3, RequestVote{Term(9), Index(9), Term(8), true, false}, 20'000);
  EXPECT_EQ(core->term(), Term(9));
  EXPECT_FALSE(core->TakeActions().empty());
}

}  // namespace
}  // namespace cairn::consensus
