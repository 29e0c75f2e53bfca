#include "cluster/controller_target.h"

#include <gtest/gtest.h>

#include "cluster/cluster_testing.h"

namespace cairn::cluster {
namespace {

// Everybody is up; group 0 has these voters and node 1 leads.
Observed AllUp(const Metadata& metadata, std::initializer_list<int32_t> voters) {
  Observed observed;
  for (const auto& [id, node] : metadata.nodes) observed.nodes[id] = {true, 0};
  GroupView& view = observed.groups[kControllerGroup];
  view.leader = NodeId(1);
  view.configuration = consensus::Configuration::OfVoters(Ids(voters));
  return observed;
}

std::vector<NodeId> Voters(const Metadata& metadata, const Observed& observed) {
  return ControllerTarget(metadata, observed).voters;
}

TEST(ControllerTargetTest, TheNumberOfVotersIsOdd) {
  Metadata metadata = TestCluster(1);
  EXPECT_EQ(Voters(metadata, AllUp(metadata, {1})), Ids({1}));
  Join(metadata);
  EXPECT_EQ(Voters(metadata, AllUp(metadata, {1})), Ids({1}));
  EXPECT_EQ(ControllerTarget(metadata, AllUp(metadata, {1})).standbys, Ids({2}));
  Join(metadata);
  EXPECT_EQ(Voters(metadata, AllUp(metadata, {1})), Ids({1, 2, 3}));
  Join(metadata);
  Join(metadata);
  EXPECT_EQ(Voters(metadata, AllUp(metadata, {1, 2, 3})), Ids({1, 2, 3}));
  EXPECT_EQ(ControllerTarget(metadata, AllUp(metadata, {1, 2, 3})).standbys, Ids({4, 5}));
  Do(metadata, ChangeSettings{.controller_voters = 5});
  EXPECT_EQ(Voters(metadata, AllUp(metadata, {1, 2, 3})), Ids({1, 2, 3, 4, 5}));
}

TEST(ControllerTargetTest, OneMoreVoterIsNotTakenAlone) {
  const Metadata metadata = TestCluster(3);
  Observed observed = AllUp(metadata, {1});
  observed.nodes[NodeId(2)].reachable = false;
  EXPECT_EQ(Voters(metadata, observed), Ids({1}));
}

TEST(ControllerTargetTest, ASilentVoterStaysUntilItIsDeadAndReplaceable) {
  Metadata metadata = TestCluster(4);
  Observed observed = AllUp(metadata, {1, 2, 3});
  observed.nodes[NodeId(2)].reachable = false;
  EXPECT_EQ(Voters(metadata, observed), Ids({1, 2, 3}));
  Do(metadata, SetNodeState{NodeId(2), NodeState::kDead, 1});
  EXPECT_EQ(Voters(metadata, observed), Ids({1, 3, 4}));
  observed.nodes[NodeId(4)].reachable = false;
  EXPECT_EQ(Voters(metadata, observed), Ids({1, 2, 3}));
}

TEST(ControllerTargetTest, ADeadNodeIsNoStandby) {
  Metadata metadata = TestCluster(4);
  Do(metadata, SetNodeState{NodeId(4), NodeState::kDead, 1});
  EXPECT_TRUE(ControllerTarget(metadata, AllUp(metadata, {1, 2, 3})).standbys.empty());
}

TEST(ControllerTargetTest, ADrainingNodeGivesItsVoteAwayAndFollowsOn) {
  Metadata metadata = TestCluster(4);
  Do(metadata, SetNodeState{NodeId(1), NodeState::kDraining, 1});
  const GroupTarget target = ControllerTarget(metadata, AllUp(metadata, {1, 2, 3}));
  EXPECT_EQ(target.voters, Ids({2, 3, 4}));
  EXPECT_EQ(target.standbys, Ids({1}));
}

TEST(ControllerTargetTest, TheLastNodeKeepsTheVoteWhenItDrains) {
  Metadata metadata = TestCluster(1);
  Do(metadata, SetNodeState{NodeId(1), NodeState::kDraining, 1});
  EXPECT_EQ(Voters(metadata, AllUp(metadata, {1})), Ids({1}));
}

TEST(ControllerTargetTest, VotersAreOnDifferentRacks) {
  const Metadata metadata = TestCluster({"r1", "r1", "r2", "r2", "r3"});
  EXPECT_EQ(Voters(metadata, AllUp(metadata, {1})), Ids({1, 3, 5}));
  EXPECT_EQ(Voters(metadata, AllUp(metadata, {1, 2, 3})), Ids({1, 3, 5}));
  EXPECT_EQ(Voters(metadata, AllUp(metadata, {1, 4, 5})), Ids({1, 4, 5}));
}

TEST(ControllerTargetTest, WithoutAReportTheOldestVote) {
  const Metadata metadata = TestCluster(3);
  Observed observed = AllUp(metadata, {1});
  observed.groups.clear();
  EXPECT_EQ(Voters(metadata, observed), Ids({1, 2, 3}));
}

}  // namespace
}  // namespace cairn::cluster
