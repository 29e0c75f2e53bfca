#include "cluster/next_step.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/cluster_testing.h"

namespace cairn::cluster {
namespace {

using consensus::Configuration;
using consensus::MemberRole;
using Kind = MembershipStep::Kind;

// A group led by node 1 whose members 1 to 5 are up and have caught up.
GroupView Group(std::initializer_list<int32_t> voters,
                std::initializer_list<int32_t> standbys = {}) {
  GroupView view;
  view.leader = NodeId(1);
  view.configuration = Configuration::OfVoters(Ids(voters));
  for (const NodeId node : Ids(standbys)) {
    view.configuration = view.configuration.With(node, MemberRole::kStandby);
  }
  for (const NodeId node : Ids({1, 2, 3, 4, 5})) {
    view.members[node] = {.reachable = true, .reachable_for_ms = 60'000, .lag_entries = 0};
  }
  return view;
}

GroupTarget Target(std::initializer_list<int32_t> voters) {
  return {.voters = Ids(voters), .preferred_leader = *Ids(voters).begin()};
}

// "add 4: 1 2 3 4(standby)", or "waits: why".
std::string Next(const GroupView& view, const GroupTarget& target) {
  const StepPlan plan = NextStep(view, target);
  if (!plan.step.has_value()) return "waits: " + plan.waits_for;
  const char* verbs[] = {"add", "promote", "demote", "remove", "transfer"};
  return std::string(verbs[static_cast<int>(plan.step->kind)]) + " " +
         std::to_string(plan.step->node.value()) + ": " + plan.step->to.ToString();
}

TEST(NextStepTest, DoesNothingAtTheTarget) {
  EXPECT_EQ(Next(Group({1, 2, 3}), Target({1, 2, 3})), "waits: ");
}

TEST(NextStepTest, AddsThenPromotesThenRemoves) {
  const GroupTarget target = Target({1, 2, 4});
  EXPECT_EQ(Next(Group({1, 2, 3}), target), "add 4: 1 2 3 4(standby)");
  EXPECT_EQ(Next(Group({1, 2, 3}, {4}), target), "promote 4: 1 2 3 4");
  EXPECT_EQ(Next(Group({1, 2, 3, 4}), target), "remove 3: 1 2 4");
}

TEST(NextStepTest, WaitsUntilAStandbyHasCaughtUp) {
  GroupView view = Group({1, 2, 3}, {4});
  view.members[NodeId(4)].lag_entries = 1'203'112;
  EXPECT_EQ(Next(view, Target({1, 2, 4})), "waits: standby 4 is 1,203,112 entries behind");
  view.members[NodeId(4)].lag_entries = std::nullopt;
  EXPECT_EQ(Next(view, Target({1, 2, 4})), "waits: standby 4 has not said how far it is");
  view.members[NodeId(4)] = {};
  EXPECT_EQ(Next(view, Target({1, 2, 4})), "waits: standby 4 does not answer");
  view.members[NodeId(4)] = {.reachable = true, .lag_entries = 0, .damaged = true};
  EXPECT_EQ(Next(view, Target({1, 2, 4})), "waits: standby 4 repairs its damaged log");
}

TEST(NextStepTest, WaitsForTheChangeBefore) {
  GroupView view = Group({1, 2, 3});
  view.may_change = false;
  EXPECT_EQ(Next(view, Target({1, 2, 4})),
            "waits: the last change of leader or members is not committed yet");
}

TEST(NextStepTest, RemovesTheDeadVoterFirst) {
  GroupView view = Group({1, 2, 3});
  view.members[NodeId(3)].reachable = false;
  EXPECT_EQ(Next(view, Target({1})), "remove 3: 1 2");
}

TEST(NextStepTest, NeverLeavesFewerThanALiveMajority) {
  GroupView view = Group({1, 2, 3});
  view.members[NodeId(3)].reachable = false;
  EXPECT_EQ(Next(view, Target({1, 3})),
            "waits: voter 2 must go, but without it too few of the voters would be alive");
  view.members[NodeId(3)] = {.reachable = true, .lag_entries = 0, .damaged = true};
  EXPECT_EQ(Next(view, Target({1, 3})),
            "waits: voter 2 must go, but without it too few of the voters would be alive");
  view = Group({1, 2, 3}, {4});
  view.members[NodeId(2)].reachable = view.members[NodeId(3)].reachable = false;
  EXPECT_EQ(Next(view, Target({1, 2, 3, 4})),
            "waits: standby 4 has caught up, but with it too few of the voters would be alive");
}

TEST(NextStepTest, ALeaderHandsOverBeforeItGoes) {
  EXPECT_EQ(Next(Group({1, 2, 3, 4}), Target({4, 2, 3})), "transfer 4: 1 2 3 4");
  GroupView view = Group({1, 2, 3, 4});
  view.members[NodeId(4)].lag_entries = 5000;
  view.members[NodeId(2)].lag_entries = 3;
  EXPECT_EQ(Next(view, Target({4, 2, 3})), "transfer 3: 1 2 3 4");
  view.members[NodeId(2)].lag_entries = view.members[NodeId(3)].lag_entries = std::nullopt;
  EXPECT_EQ(Next(view, Target({4, 2, 3})),
            "waits: leader 1 must go, but no other voter has caught up to take over");
}

TEST(NextStepTest, LeadershipGoesToThePreferredWhenItIsSteady) {
  GroupView view = Group({1, 2, 3});
  EXPECT_EQ(Next(view, Target({2, 1, 3})), "transfer 2: 1 2 3");
  view.members[NodeId(2)].reachable_for_ms = 9'999;
  EXPECT_EQ(Next(view, Target({2, 1, 3})),
            "waits: node 2 should lead and takes over when it has answered for 10 s");
}

TEST(NextStepTest, StandbysOfGroupZeroComeAndGo) {
  GroupTarget target{.voters = Ids({1, 2, 3}), .standbys = Ids({4, 5})};
  EXPECT_EQ(Next(Group({1, 2, 3}), target), "add 4: 1 2 3 4(standby)");
  GroupView view = Group({1, 2, 3}, {4});
  view.members[NodeId(5)].reachable = false;
  EXPECT_EQ(Next(view, target), "waits: node 5 does not answer and cannot be added");
  EXPECT_EQ(Next(Group({1, 2, 3, 5}, {4}), target), "demote 5: 1 2 3 4(standby) 5(standby)");
  target.standbys.clear();
  EXPECT_EQ(Next(Group({1, 2, 3}, {4}), target), "remove 4: 1 2 3");
}

TEST(NextStepTest, ASilentStandbyHoldsNothingElseUp) {
  GroupTarget target{.voters = Ids({1, 2, 3}), .standbys = Ids({5})};
  GroupView view = Group({1, 2, 3, 4});
  view.members[NodeId(5)].reachable = false;
  EXPECT_EQ(Next(view, target), "remove 4: 1 2 3");
}

TEST(WithCommasTest, GroupsByThree) {
  EXPECT_EQ(WithCommas(0), "0");
  EXPECT_EQ(WithCommas(999), "999");
  EXPECT_EQ(WithCommas(1000), "1,000");
  EXPECT_EQ(WithCommas(1'203'112), "1,203,112");
}

}  // namespace
}  // namespace cairn::cluster
