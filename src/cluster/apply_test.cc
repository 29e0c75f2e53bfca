#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error_info.h"
#include "cluster/cluster_testing.h"
#include "cluster/command.h"
#include "cluster/validate.h"

namespace cairn::cluster {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// What `command` answers; checks that an error left the metadata as it was.
absl::Status Refused(Metadata metadata, const Command& command) {
  const Metadata before = metadata;
  const auto result = Apply(metadata, command);
  EXPECT_FALSE(result.ok()) << Encode(command);
  EXPECT_EQ(metadata, before) << Encode(command);
  return result.status();
}

std::string ReasonOf(const absl::Status& status) {
  return base::GetErrorInfo(status).value_or(base::ErrorInfo()).reason;
}

TEST(ApplyTest, TheFirstNodeFormsTheCluster) {
  Metadata metadata;
  const InitCluster init{TestUuid(1), TestUuid(2), TestDescription("a"), {}, 7};
  EXPECT_EQ(Do(metadata, init).node, NodeId(1));
  EXPECT_EQ(metadata.cluster_id, TestUuid(1));
  ASSERT_NE(metadata.FindNode(NodeId(1)), nullptr);
  EXPECT_EQ(metadata.FindNode(NodeId(1))->registered_ms, 7);
}

TEST(ApplyTest, BootstrappingTheSameClusterAgainIsHarmlessAnotherOneIsRefused) {
  Metadata metadata;
  InitCluster init{TestUuid(1), TestUuid(2), TestDescription("a"), {}, 7};
  Do(metadata, init);
  const Metadata before = metadata;
  EXPECT_EQ(Do(metadata, init).node, NodeId(1));
  EXPECT_EQ(metadata, before);
  init.cluster_id = TestUuid(9);
  const absl::Status status = Refused(metadata, init);
  EXPECT_EQ(ReasonOf(status), "CLUSTER_EXISTS");
  EXPECT_THAT(std::string(status.message()), HasSubstr(TestUuid(1).ToString()));
  EXPECT_THAT(std::string(status.message()), HasSubstr(TestUuid(9).ToString()));
}

TEST(ApplyTest, NothingElseComesBeforeTheCluster) {
  EXPECT_TRUE(absl::IsFailedPrecondition(Refused(Metadata(), AllocateProducerIds{1})));
}

TEST(ApplyTest, AUuidGetsItsNumberOnce) {
  Metadata metadata = TestCluster(1);
  RegisterNode join{.uuid = TestUuid(5), .node = TestDescription("new"), .time_ms = 3};
  EXPECT_EQ(Do(metadata, join).node, NodeId(2));
  const Metadata before = metadata;
  EXPECT_EQ(Do(metadata, join).node, NodeId(2));
  EXPECT_EQ(metadata, before);
}

TEST(ApplyTest, ATakenNameIsRefusedWithBothUuids) {
  const Metadata metadata = TestCluster(2);
  const absl::Status status =
      Refused(metadata, RegisterNode{.uuid = TestUuid(77), .node = TestDescription("b")});
  EXPECT_TRUE(absl::IsAlreadyExists(status));
  EXPECT_EQ(ReasonOf(status), "NODE_NAME_TAKEN");
  EXPECT_THAT(std::string(status.message()), HasSubstr(TestUuid(2).ToString()));
  EXPECT_THAT(std::string(status.message()), HasSubstr(TestUuid(77).ToString()));
}

TEST(ApplyTest, AWipedNodeComesBackUnderItsNameAsANewNode) {
  Metadata metadata = TestCluster(3);
  RegisterNode join{.uuid = TestUuid(77), .node = TestDescription("b"), .time_ms = 9};
  join.replaces = NodeId(2);
  EXPECT_EQ(Do(metadata, join).node, NodeId(4));
  EXPECT_EQ(metadata.FindNode(NodeId(2))->state, NodeState::kDead);
  EXPECT_EQ(metadata.FindNodeByName("b")->id, NodeId(4));
  // The old directory turns up again: not under this name.
  EXPECT_EQ(ReasonOf(Refused(metadata, SetNodeState{NodeId(2), NodeState::kActive, 10})),
            "NODE_NAME_TAKEN");
  Do(metadata, UpdateNode{.node = NodeId(2), .name = "old-b"});
  Do(metadata, SetNodeState{NodeId(2), NodeState::kActive, 11});
}

TEST(ApplyTest, AReplacedNodeMustHoldTheName) {
  RegisterNode join{.uuid = TestUuid(77), .node = TestDescription("b")};
  join.replaces = NodeId(3);
  EXPECT_EQ(ReasonOf(Refused(TestCluster(3), join)), "NODE_NAME_TAKEN");
}

TEST(ApplyTest, NodeNumbersAreNeverReused) {
  Metadata metadata = TestCluster(3);
  Do(metadata, SetNodeState{NodeId(3), NodeState::kDraining, 5});
  Do(metadata, RemoveNode{NodeId(3), 6});
  EXPECT_EQ(Do(metadata, RegisterNode{.uuid = TestUuid(9), .node = TestDescription("c")}).node,
            NodeId(4));
  EXPECT_EQ(
      ReasonOf(Refused(metadata, RegisterNode{.uuid = TestUuid(3), .node = TestDescription("x")})),
      "NODE_REMOVED");
  EXPECT_EQ(ReasonOf(Refused(metadata, SetNodeState{NodeId(3), NodeState::kActive, 7})),
            "NODE_REMOVED");
  EXPECT_EQ(ReasonOf(Refused(metadata, RemoveNode{NodeId(99), 7})), "UNKNOWN_NODE");
}

TEST(ApplyTest, ANodeInUseIsNotRemoved) {
  Metadata metadata = TestCluster(2);
  EXPECT_EQ(ReasonOf(Refused(metadata, RemoveNode{NodeId(2), 1})), "NODE_IN_USE");
  Create(metadata, "orders", {Ids({2, 1})});
  Do(metadata, SetNodeState{NodeId(2), NodeState::kDraining, 1});
  const absl::Status status = Refused(metadata, RemoveNode{NodeId(2), 1});
  EXPECT_EQ(ReasonOf(status), "NODE_IN_USE");
  EXPECT_THAT(std::string(status.message()), HasSubstr("1 partitions want a replica"));
}

TEST(ApplyTest, RefusesNodesThatAreWronglyDescribed) {
  const Metadata metadata = TestCluster(1);
  RegisterNode join{.uuid = TestUuid(5), .node = TestDescription("new")};
  join.node.name = "a b";
  EXPECT_TRUE(absl::IsInvalidArgument(Refused(metadata, join)));
  join.node = TestDescription("new");
  join.node.rpc_address = "nowhere";
  EXPECT_TRUE(absl::IsInvalidArgument(Refused(metadata, join)));
  join.node = TestDescription("new", "\xff\xfe");
  EXPECT_TRUE(absl::IsInvalidArgument(Refused(metadata, join)));
}

TEST(ApplyTest, CreatesAndDeletesTopicsWithoutReusingNumbers) {
  Metadata metadata = TestCluster(3);
  EXPECT_EQ(Create(metadata, "orders", {Ids({1, 2, 3}), Ids({2, 3, 1})}), TopicNumber(1));
  const Topic* topic = metadata.FindTopic("orders");
  ASSERT_NE(topic, nullptr);
  EXPECT_EQ(topic->group(1), GroupId(1 << 16 | 1));
  EXPECT_EQ(metadata.FindPartition(topic->group(1))->initial, Ids({2, 3, 1}));
  Do(metadata, DeleteTopic{"orders"});
  EXPECT_EQ(metadata.FindTopic("orders"), nullptr);
  EXPECT_EQ(Create(metadata, "orders", {Ids({1})}), TopicNumber(2));
}

TEST(ApplyTest, GivesTheErrorsOfTheLocalBroker) {
  Metadata metadata = TestCluster(2);
  Create(metadata, "orders", {Ids({1})});
  CreateTopic create{.name = "orders", .id = TestUuid(8), .partitions = {Ids({1})}};
  absl::Status status = Refused(metadata, create);
  EXPECT_TRUE(absl::IsAlreadyExists(status));
  EXPECT_EQ(ReasonOf(status), "TOPIC_EXISTS");
  EXPECT_EQ(status.message(), "topic \"orders\" exists already");
  create.name = "../up";
  EXPECT_EQ(ReasonOf(Refused(metadata, create)), "INVALID_TOPIC_NAME");
  create.name = "more";
  create.replication_factor = 3;
  EXPECT_EQ(Refused(metadata, create).message(),
            "replication factor 3 needs as many brokers; there are 2");
  create.replication_factor = 0;
  create.partitions.clear();
  EXPECT_EQ(Refused(metadata, create).message(), "a topic has 1 to 10000 partitions, not 0");
  create.partitions = {Ids({1})};
  create.settings.segment_bytes = 1;
  EXPECT_TRUE(absl::IsInvalidArgument(Refused(metadata, create)));

  status = Refused(metadata, DeleteTopic{"nothing"});
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_EQ(ReasonOf(status), "UNKNOWN_TOPIC");
  EXPECT_EQ(status, Refused(metadata, AlterTopic{.name = "nothing"}));
  EXPECT_EQ(ReasonOf(Refused(metadata, SetReplicas{TopicNumber(9), PartitionId(0), Ids({1})})),
            "UNKNOWN_TOPIC");
  EXPECT_EQ(ReasonOf(Refused(metadata, SetReplicas{TopicNumber(1), PartitionId(1), Ids({1})})),
            "UNKNOWN_PARTITION");
}

TEST(ApplyTest, RefusesImpossibleReplicas) {
  Metadata metadata = TestCluster(3);
  Create(metadata, "orders", {Ids({1, 2})});
  Do(metadata, SetNodeState{NodeId(3), NodeState::kDraining, 1});
  Do(metadata, RemoveNode{NodeId(3), 1});
  for (const auto& replicas : {Ids({}), Ids({1, 1}), Ids({4}), Ids({1, 3})}) {
    EXPECT_TRUE(absl::IsInvalidArgument(
        Refused(metadata, SetReplicas{TopicNumber(1), PartitionId(0), replicas})));
  }
}

TEST(ApplyTest, AReplicaThatLeftIsNoFounderWhenItComesBack) {
  Metadata metadata = TestCluster(4);
  Create(metadata, "orders", {Ids({1, 2, 3})});
  const auto set = [&](std::vector<NodeId> replicas) -> const PartitionInfo& {
    Do(metadata, SetReplicas{TopicNumber(1), PartitionId(0), std::move(replicas)});
    return metadata.topics[TopicNumber(1)].partitions[0];
  };
  EXPECT_EQ(set(Ids({1, 2, 4})).founders, Ids({1, 2}));
  EXPECT_EQ(set(Ids({3, 2, 1})).founders, Ids({1, 2}));
  EXPECT_EQ(set(Ids({4})).initial, Ids({1, 2, 3}));
  EXPECT_THAT(set(Ids({1, 2, 3})).founders, IsEmpty());
}

TEST(ApplyTest, AltersWhatIsNamed) {
  Metadata metadata = TestCluster(2);
  Create(metadata, "orders", {Ids({1})});
  AlterTopic alter{.name = "orders"};
  alter.settings.retention_ms = 60'000;
  Do(metadata, alter);
  alter = {.name = "orders", .replication_factor = 2};
  Do(metadata, alter);
  const Topic& topic = *metadata.FindTopic("orders");
  EXPECT_EQ(topic.settings.retention_ms, 60'000);
  EXPECT_EQ(topic.replication_factor, 2);
  alter = {.name = "orders"};
  alter.settings.max_record_bytes = 0;
  EXPECT_TRUE(absl::IsInvalidArgument(Refused(metadata, alter)));
  EXPECT_TRUE(absl::IsInvalidArgument(
      Refused(metadata, AlterTopic{.name = "orders", .replication_factor = 3})));
}

TEST(ApplyTest, ProducerIdsAreGivenOnce) {
  Metadata metadata = TestCluster(1);
  EXPECT_EQ(Do(metadata, AllocateProducerIds{1000}).producer_ids, 0);
  EXPECT_EQ(Do(metadata, AllocateProducerIds{1}).producer_ids, 1000);
  EXPECT_EQ(Do(metadata, AllocateProducerIds{1}).producer_ids, 1001);
  EXPECT_TRUE(absl::IsInvalidArgument(Refused(metadata, AllocateProducerIds{0})));
  EXPECT_TRUE(
      absl::IsInvalidArgument(Refused(metadata, AllocateProducerIds{kMaxProducerIdBlock + 1})));
  metadata.next_producer_id = INT64_MAX - 1;
  EXPECT_TRUE(absl::IsResourceExhausted(Refused(metadata, AllocateProducerIds{2})));
}

TEST(ApplyTest, SettingsHaveRanges) {
  Metadata metadata = TestCluster(1);
  Do(metadata, ChangeSettings{.grace_ms = 1000});
  EXPECT_EQ(metadata.settings.grace_ms, 1000);
  EXPECT_EQ(metadata.settings.controller_voters, 3);
  EXPECT_TRUE(absl::IsInvalidArgument(Refused(metadata, ChangeSettings{.controller_voters = 4})));
  EXPECT_TRUE(absl::IsInvalidArgument(Refused(metadata, ChangeSettings{.grace_ms = 0})));
}

TEST(ApplyTest, APolicyReplacesTheOneThatWasExpected) {
  Metadata metadata = TestCluster(1);
  EXPECT_EQ(Do(metadata, SetAccessPolicy{.model = "m", .policy = "p", .expected_version = 0})
                .policy_version,
            1u);
  EXPECT_EQ(Do(metadata, SetAccessPolicy{.model = "m2", .policy = "", .time_ms = 5}).policy_version,
            2u);
  EXPECT_EQ(metadata.access_policy,
            (AccessPolicy{.version = 2, .model = "m2", .policy = "", .set_ms = 5}));
  const auto stale =
      Refused(metadata, SetAccessPolicy{.model = "m", .policy = "p", .expected_version = 1});
  EXPECT_TRUE(absl::IsAborted(stale)) << stale;
  EXPECT_TRUE(absl::IsInvalidArgument(Refused(metadata, SetAccessPolicy{.model = ""})));
  const std::string large(kMaxAccessPolicyBytes + 1, 'p');
  EXPECT_TRUE(
      absl::IsInvalidArgument(Refused(metadata, SetAccessPolicy{.model = "m", .policy = large})));
}

TEST(MetadataTest, TheAutomaticReplicationFactorFollowsTheNodes) {
  Metadata metadata = TestCluster(1);
  Create(metadata, "orders", {Ids({1})});
  const auto factor = [&] { return metadata.ReplicationFactor(*metadata.FindTopic("orders")); };
  EXPECT_EQ(factor(), 1);
  Join(metadata);
  EXPECT_EQ(factor(), 2);
  Join(metadata);
  Join(metadata);
  EXPECT_EQ(factor(), 3);
  Do(metadata, SetNodeState{NodeId(3), NodeState::kDraining, 1});
  Do(metadata, SetNodeState{NodeId(4), NodeState::kDead, 1});
  EXPECT_EQ(factor(), 3) << "a dead node may come back";
  Do(metadata, SetNodeState{NodeId(4), NodeState::kDraining, 1});
  EXPECT_EQ(factor(), 2);
}

}  // namespace
}  // namespace cairn::cluster
