// The reconcile loop and the leaders' steps together, as transcripts of a toy cluster.
#include "cluster/reconcile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/toy_cluster_testing.h"

namespace cairn::cluster {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Nodes a, b, … and a topic "orders", at rest.
ToyCluster AtRest(size_t nodes, int32_t partitions, int32_t factor = 0) {
  ToyCluster cluster(nodes);
  cluster.CreateTopicHere("orders", partitions, factor);
  EXPECT_TRUE(cluster.Settle());
  cluster.TakeTranscript();
  EXPECT_EQ(cluster.Why(), "");
  return cluster;
}

TEST(ReconcileTest, AFirstNodeBecomesAReplicatedClusterWhenTwoMoreJoin) {
  ToyCluster cluster = AtRest(1, 1);
  cluster.Add();
  cluster.Run(2);
  EXPECT_EQ(cluster.Why(), "partition orders/0: standby 2 is 3,000,000 entries behind\n");
  cluster.Run(2);
  cluster.Add();
  ASSERT_TRUE(cluster.Settle());
  EXPECT_EQ(cluster.TakeTranscript(),
            "340 s controller: partition orders/0 on 1 2\n"
            "350 s partition orders/0: add standby 2\n"
            "380 s partition orders/0: promote 2\n"
            "380 s controller: partition orders/0 on 1 2 3\n"
            "390 s partition orders/0: add standby 3\n"
            "420 s partition orders/0: promote 3\n");
  EXPECT_EQ(cluster.Why(), "");
}

TEST(ReconcileTest, ADeadNodeIsReplacedWhenTheGraceTimeIsOver) {
  ToyCluster cluster = AtRest(4, 2);
  cluster.Kill(NodeId(3));
  cluster.Run(4);
  EXPECT_EQ(cluster.TakeTranscript(), "");
  EXPECT_EQ(cluster.Why(),
            "node 3 (c): has been silent for 40 s; its 1 replica is rebuilt elsewhere after 300 s\n"
            "partition orders/1: node 3 should lead and does not answer\n");
  ASSERT_TRUE(cluster.Settle());
  EXPECT_EQ(cluster.TakeTranscript(),
            "680 s controller: node 3 (c) is dead\n"
            "690 s controller: partition orders/1 on 1 4 2\n"
            "700 s partition orders/1: add standby 1\n"
            "730 s partition orders/1: promote 1\n"
            "740 s partition orders/1: remove 3\n"
            "740 s controller: partition orders/0 on 4 1 2\n"
            "750 s partition orders/0: hand over to 4\n"
            "750 s partition orders/1: hand over to 1\n");
  EXPECT_EQ(cluster.Why(), "");
  // When it comes back it is empty-handed, but a member again.
  cluster.Revive(NodeId(3));
  ASSERT_TRUE(cluster.Settle());
  EXPECT_EQ(cluster.TakeTranscript(), "1090 s controller: node 3 (c) is active\n");
}

TEST(ReconcileTest, ANodeThatComesBackInTimeMovesNothing) {
  ToyCluster cluster = AtRest(4, 4);
  for (const NodeId node : Ids({1, 2, 3, 4})) {
    cluster.Kill(node);
    cluster.Run(29);
    cluster.Revive(node);
    ASSERT_TRUE(cluster.Settle());
  }
  EXPECT_THAT(cluster.TakeTranscript(), Not(HasSubstr("controller")));
}

TEST(ReconcileTest, AFlappingNodeMovesNothing) {
  ToyCluster cluster = AtRest(4, 4);
  for (int i = 0; i < 20; ++i) {
    cluster.Kill(NodeId(2));
    cluster.Run(28);
    cluster.Revive(NodeId(2));
    cluster.Run(1);
  }
  EXPECT_THAT(cluster.TakeTranscript(), Not(HasSubstr("controller")));
}

TEST(ReconcileTest, LeadershipReturnsToTheNodeThatWasRestarted) {
  ToyCluster cluster = AtRest(3, 1);
  const NodeId leader = cluster.LeaderOf(GroupOf(TopicNumber(1), PartitionId(0)));
  cluster.Kill(leader);
  cluster.Run(3);
  cluster.Revive(leader);
  ASSERT_TRUE(cluster.Settle());
  EXPECT_EQ(cluster.TakeTranscript(), "420 s partition orders/0: hand over to 1\n");
}

TEST(ReconcileTest, WithoutAnotherNodeTheReplicasStayUntilOneJoins) {
  ToyCluster cluster = AtRest(3, 1);
  cluster.Kill(NodeId(2));
  ASSERT_TRUE(cluster.Settle());
  EXPECT_EQ(cluster.TakeTranscript(), "680 s controller: node 2 (b) is dead\n");
  EXPECT_EQ(cluster.Why(),
            "partition orders/0: should leave node 2 (b), which is dead, but there is no other "
            "node to hold its replica\n");
  cluster.Add();
  ASSERT_TRUE(cluster.Settle());
  EXPECT_EQ(cluster.TakeTranscript(),
            "1020 s controller: partition orders/0 on 1 4 3\n"
            "1030 s partition orders/0: add standby 4\n"
            "1060 s partition orders/0: promote 4\n"
            "1070 s partition orders/0: remove 2\n");
  EXPECT_EQ(cluster.Why(), "");
}

TEST(ReconcileTest, ADrainedNodeGivesEverythingAwayAndIsRemoved) {
  ToyCluster cluster = AtRest(3, 1);
  cluster.log_controller_ = true;
  cluster.Drain(NodeId(1));  // it leads group 0
  cluster.Run(1);
  EXPECT_EQ(cluster.Why(), "node 1 (a): is draining: it is still a member of 2 groups\n");
  ASSERT_TRUE(cluster.Settle());
  EXPECT_EQ(cluster.TakeTranscript(),
            "390 s group 0: demote 3\n"
            "390 s controller: partition orders/0 on 2 3\n"
            "400 s group 0: hand over to 2\n"
            "400 s partition orders/0: hand over to 2\n"
            "410 s group 0: demote 1\n"
            "410 s partition orders/0: remove 1\n"
            "410 s controller: node 1 (a) is removed\n"
            "420 s group 0: remove 1\n");
  EXPECT_EQ(cluster.Why(), "");
}

TEST(ReconcileTest, ADrainThatCannotEndSaysWhy) {
  ToyCluster cluster = AtRest(2, 1, 2);
  cluster.Drain(NodeId(2));
  ASSERT_TRUE(cluster.Settle());
  EXPECT_EQ(cluster.Why(),
            "node 2 (b): is draining: 1 replica must find another place\n"
            "partition orders/0: should leave node 2 (b), which is draining, but there is no other "
            "node to hold its replica\n");
}

TEST(ReconcileTest, AWipedNodeIsReplacedByItsNewSelfAtOnce) {
  ToyCluster cluster = AtRest(3, 1);
  cluster.Kill(NodeId(2));
  cluster.Run(1);
  const NodeId wiped = cluster.AddAgain(NodeId(2));
  ASSERT_TRUE(cluster.Settle());
  EXPECT_EQ(wiped, NodeId(4));
  EXPECT_EQ(cluster.TakeTranscript(),
            "400 s controller: partition orders/0 on 1 4 3\n"
            "410 s partition orders/0: add standby 4\n"
            "440 s partition orders/0: promote 4\n"
            "450 s partition orders/0: remove 2\n");
  EXPECT_EQ(cluster.Why(), "");
}

TEST(ReconcileTest, ACutNetworkMovesNothing) {
  ToyCluster cluster = AtRest(5, 5);
  for (const NodeId node : Ids({3, 4, 5})) cluster.Kill(node);
  // Let the controller live on the small side, as it may for a while.
  Observed observed;
  for (const NodeId node : Ids({1, 2})) observed.nodes[node] = {true, 10'000'000};
  const auto plan = Reconcile(cluster.metadata(), observed, 10'000'000);
  EXPECT_TRUE(plan.commands.empty());
  ASSERT_FALSE(plan.waits.empty());
  EXPECT_EQ(plan.waits.front().about, "node 3 (c)");
  EXPECT_THAT(plan.waits.front().why, HasSubstr("looks like a cut network"));
}

TEST(ReconcileTest, ANewControllerGivesEveryNodeTheGraceTime) {
  const Metadata metadata = TestCluster(3);
  Observed observed;
  observed.since_ms = 1'000'000;
  for (const NodeId node : Ids({1, 2})) observed.nodes[node] = {true, 1'042'000};
  const auto plan = Reconcile(metadata, observed, 1'042'000);
  EXPECT_TRUE(plan.commands.empty());
  ASSERT_EQ(plan.waits.size(), 1u);
  EXPECT_EQ(plan.waits[0].why,
            "has been silent for 42 s; its 0 replicas are rebuilt elsewhere after 300 s");
}

TEST(ReconcileTest, AMoveWhoseTargetDiesGoesElsewhere) {
  ToyCluster cluster = AtRest(5, 1);
  Metadata& metadata = cluster.metadata();
  const GroupId group = GroupOf(TopicNumber(1), PartitionId(0));
  const NodeId leaves = metadata.FindPartition(group)->replicas[2];
  cluster.Drain(leaves);
  cluster.Run(2);
  const NodeId comes = metadata.FindPartition(group)->replicas[2];
  cluster.Kill(comes);
  ASSERT_TRUE(cluster.Settle());
  EXPECT_EQ(cluster.TakeTranscript(),
            "400 s controller: partition orders/0 on 1 4 5\n"
            "410 s partition orders/0: add standby 5\n"
            "710 s controller: node 5 (e) is dead\n"
            "720 s controller: partition orders/0 on 1 4 3\n"
            "730 s partition orders/0: remove 5\n"
            "740 s partition orders/0: add standby 3\n"
            "770 s partition orders/0: promote 3\n"
            "780 s partition orders/0: remove 2\n"
            "780 s controller: node 2 (b) is removed\n");
  EXPECT_EQ(cluster.Why(), "");
}

TEST(ReconcileTest, OnlySoManyPartitionsMoveAtOnce) {
  ToyCluster cluster = AtRest(1, 20);
  cluster.Add();
  cluster.Run(1);
  EXPECT_THAT(cluster.Why(),
              HasSubstr("cluster: 12 more partitions must change; at most 8 do at one time"));
  ASSERT_TRUE(cluster.Settle());
  EXPECT_EQ(cluster.Why(), "");
  std::map<NodeId, int> leaders;
  for (int i = 0; i < 20; ++i) ++leaders[cluster.LeaderOf(GroupOf(TopicNumber(1), PartitionId(i)))];
  EXPECT_EQ(leaders, (std::map<NodeId, int>{{NodeId(1), 10}, {NodeId(2), 10}}));
}

TEST(ReconcileTest, SaysThatThereAreTooFewNodes) {
  ToyCluster cluster = AtRest(3, 1, 3);
  cluster.Drain(NodeId(3));
  ASSERT_TRUE(cluster.Settle());
  EXPECT_EQ(cluster.Why(),
            "node 3 (c): is draining: 1 replica must find another place\n"
            "partition orders/0: should leave node 3 (c), which is draining, but there is no other "
            "node to hold its replica\n");
}

TEST(ReconcileTest, SaysThatAPartitionHasNoLeader) {
  ToyCluster cluster = AtRest(4, 1, 2);
  const auto replicas = cluster.metadata().FindTopic("orders")->partitions[0].replicas;
  for (const NodeId node : replicas) cluster.Kill(node);
  cluster.Run(4);
  EXPECT_THAT(cluster.Why(), HasSubstr("partition orders/0: no leader has reported"));
  cluster.TakeTranscript();
}

TEST(ReconcileTest, SaysWhichReplicasAreDamagedAndThatTooManyAre) {
  ToyCluster cluster = AtRest(3, 1, 3);
  const GroupId group = cluster.metadata().FindTopic("orders")->group(0);
  Observed observed;
  for (const NodeId node : {NodeId(1), NodeId(2), NodeId(3)}) {
    observed.nodes[node] = {.reachable = true, .last_heard_ms = 0};
  }
  observed.damaged[group] = {{NodeId(1), "FILE at 5: rot; being refetched from node 3"},
                             {NodeId(2), "FILE at 9: rot; not repaired yet: nobody leads"}};
  std::string why;
  for (const Wait& wait : Reconcile(cluster.metadata(), observed, 0).waits) {
    why += wait.about + ": " + wait.why + "\n";
  }
  EXPECT_EQ(
      why,
      "partition orders/0: its replica on node 1 is damaged: FILE at 5: rot; being refetched "
      "from node 3\n"
      "partition orders/0: its replica on node 2 is damaged: FILE at 9: rot; not repaired yet: "
      "nobody leads\n"
      "partition orders/0: no leader has reported; the logs of 2 of its 3 replicas are "
      "damaged, which do not vote: bring back healthy ones\n");
}

}  // namespace
}  // namespace cairn::cluster
