// Three nodes as clients see them: forwarding, linearizable reads, failover, and what operators
// ask.
#include "cairn/consumer.h"
#include "cairn/error.h"
#include "cairn/producer.h"
#include "server/cluster_fixture.h"

namespace cairn::server {
namespace {

using logapi::v1::ConsumeRequest;
using logapi::v1::ConsumeResponse;

class ClusterTest : public ClusterFixture {
 protected:
  absl::StatusOr<std::string> ConsumeAt(int index, const ConsumeRequest& request) {
    grpc::ClientContext context;
    SetDeadline(context);
    ConsumeResponse response;
    const grpc::Status status = StubOf(index)->Consume(&context, request, &response);
    if (!status.ok()) return api::FromGrpcStatus(status);
    return response.record().value();
  }

  static ConsumeRequest Linearizable(const std::string& topic, uint64_t offset) {
    ConsumeRequest request;
    request.set_topic(topic);
    request.set_offset(offset);
    request.set_consistency(logapi::v1::CONSISTENCY_LINEARIZABLE);
    return request;
  }

  // "0" to "count - 1", each once and in order.
  void ExpectNumbered(const std::string& topic, int count) {
    auto consumer = Consumer::Create(client_, {.topic = topic, .stop_at_end = true});
    ASSERT_TRUE(consumer.ok()) << consumer.status();
    ConsumedRecord record;
    int next = 0;
    Consumer::Result result;
    while ((result = (*consumer)->Next(record, 60'000)) == Consumer::Result::kRecord) {
      ASSERT_EQ(record.value, std::to_string(next)) << "offset " << record.offset;
      ++next;
    }
    EXPECT_EQ(result, Consumer::Result::kEnd) << (*consumer)->status();
    EXPECT_EQ(next, count);
  }
};

TEST_F(ClusterTest, AnyNodeTakesRecordsAndServesThem) {
  CreateTopic("t");
  for (int i = 0; i < kNodes; ++i) {
    const auto offset = ProduceAt(i, "t", "through " + std::to_string(i));
    ASSERT_TRUE(offset.ok()) << offset.status();
    EXPECT_EQ(*offset, static_cast<uint64_t>(i));
  }
  ConsumeRequest request;
  request.set_topic("t");
  request.set_offset(2);
  for (int i = 0; i < kNodes; ++i) {
    // A follower hears what is committed a moment later.
    ASSERT_TRUE(Await([&] { return ConsumeAt(i, request).ok(); })) << i;
    EXPECT_EQ(*ConsumeAt(i, request), "through 2");
  }
}

TEST_F(ClusterTest, LinearizableReadsSeeWhatWasAcknowledgedAtTheLeaderAlone) {
  CreateTopic("t");
  const int leader = LeaderOf("t");
  for (uint64_t i = 0; i < 50; ++i) {
    ASSERT_TRUE(ProduceAt(FollowerOf("t"), "t", std::to_string(i)).ok());
    const auto read = ConsumeAt(leader, Linearizable("t", i));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(*read, std::to_string(i));
  }
  const auto refused = ConsumeAt(FollowerOf("t"), Linearizable("t", 0));
  EXPECT_TRUE(absl::IsUnavailable(refused.status())) << refused.status();
  EXPECT_EQ(ErrorReason(refused.status()), "NOT_LEADER");
  EXPECT_EQ(ErrorMetadata(refused.status())["leader_addr"], Address(leader));
  EXPECT_EQ(ErrorMetadata(refused.status())["leader_id"], std::to_string(leader + 1));

  grpc::ClientContext context;
  SetDeadline(context);
  const auto stub = StubOf(FollowerOf("t"));
  const auto stream = stub->ConsumeStream(&context, Linearizable("t", 0));
  ConsumeResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(ErrorReason(api::FromGrpcStatus(stream->Finish())), "NOT_LEADER");
}

TEST_F(ClusterTest, ALinearizableConsumerFindsTheLeader) {
  CreateTopic("t");
  ASSERT_TRUE(ProduceAt(0, "t", "0").ok());
  const auto one = Client::Create({.address = Address(FollowerOf("t"))});
  auto consumer = Consumer::Create(*one, {.topic = "t", .linearizable = true});
  ASSERT_TRUE(consumer.ok()) << consumer.status();
  ConsumedRecord record;
  EXPECT_EQ((*consumer)->Next(record, 60'000), Consumer::Result::kRecord) << (*consumer)->status();
}

TEST_F(ClusterTest, AProducerGoesOnWhenTheLeaderStops) {
  CreateTopic("t");
  // One address is enough: the others are learned.
  const auto one = Client::Create({.address = Address(LeaderOf("t"))});
  auto producer = Producer::Create(*one, {.topic = "t", .linger_ms = 0});
  ASSERT_TRUE(producer.ok()) << producer.status();
  constexpr int kEach = 500;
  int produced = 0;
  const auto produce = [&] {
    for (int i = 0; i < kEach; ++i) {
      ASSERT_TRUE((*producer)->Produce({.value = std::to_string(produced++)}).ok());
      if (i % 50 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  };
  for (int round = 0; round < 2; ++round) {
    produce();
    const int leader = LeaderOf("t");
    std::thread stop([&] { StopNode(leader); });
    produce();
    stop.join();
    produce();
    const absl::Status flushed = (*producer)->Flush(60'000);
    ASSERT_TRUE(flushed.ok()) << flushed;
    StartNode(leader);
    ASSERT_TRUE(Await([&] { return InSync("t"); })) << log_lines_.str();
  }
  ExpectNumbered("t", produced);
}

TEST_F(ClusterTest, AConsumerGoesOnAtAnotherReplica) {
  CreateTopic("t");
  auto producer = Producer::Create(client_, {.topic = "t", .linger_ms = 0});
  auto consumer = Consumer::Create(client_, {.topic = "t"});
  ASSERT_TRUE(producer.ok() && consumer.ok());
  int next = 0;
  const auto pass = [&](int count) {
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE((*producer)->Produce({.value = std::to_string(next + i)}).ok());
    }
    ASSERT_TRUE((*producer)->Flush(60'000).ok());
    ConsumedRecord record;
    for (int i = 0; i < count; ++i) {
      ASSERT_EQ((*consumer)->Next(record, 60'000), Consumer::Result::kRecord)
          << (*consumer)->status();
      ASSERT_EQ(record.value, std::to_string(next++));
    }
  };
  pass(10);
  for (int i = 0; i < kNodes; ++i) {
    StopNode(i);
    pass(10);
    StartNode(i);
    ASSERT_TRUE(Await([&] { return InSync("t"); })) << log_lines_.str();
    pass(10);
  }
}

TEST_F(ClusterTest, LeadershipIsTransferredOnRequest) {
  CreateTopic("t");
  const int to = FollowerOf("t");
  const auto leader = admin_->TransferLeadership("t", 0, to + 1);
  ASSERT_TRUE(leader.ok()) << leader.status();
  EXPECT_EQ(*leader, to + 1);
  EXPECT_EQ(LeaderOf("t"), to);
  EXPECT_EQ(admin_->DescribeTopic("t")->partitions[0].replicas.front(), to + 1);

  const auto other = admin_->TransferLeadership("t", 0, 0);
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_NE(*other, to + 1);
  EXPECT_EQ(LeaderOf("t"), *other - 1);

  EXPECT_EQ(ErrorReason(admin_->TransferLeadership("t", 0, 9).status()), "NOT_A_REPLICA");
  EXPECT_EQ(ErrorReason(admin_->TransferLeadership("t", 1, 0).status()), "UNKNOWN_PARTITION");
  EXPECT_EQ(ErrorReason(admin_->TransferLeadership("no", 0, 0).status()), "UNKNOWN_TOPIC");
}

TEST_F(ClusterTest, AProducerFollowsALeaderThatMoves) {
  CreateTopic("t");
  auto producer = Producer::Create(client_, {.topic = "t", .linger_ms = 0});
  ASSERT_TRUE(producer.ok()) << producer.status();
  int produced = 0;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 200; ++i) {
      ASSERT_TRUE((*producer)->Produce({.value = std::to_string(produced++)}).ok());
    }
    const auto moved = admin_->TransferLeadership("t", 0, 0);
    ASSERT_TRUE(moved.ok()) << moved.status();
  }
  ASSERT_TRUE((*producer)->Flush(60'000).ok());
  ExpectNumbered("t", produced);
}

TEST_F(ClusterTest, StatusAndWhyTellOfANodeThatIsAway) {
  CreateTopic("t", 3);
  const auto healthy = admin_->DescribeCluster();
  ASSERT_TRUE(healthy.ok()) << healthy.status();
  ASSERT_EQ(healthy->nodes.size(), 3u);
  EXPECT_FALSE(healthy->id.empty());
  EXPECT_GE(healthy->controller, 1);
  for (int i = 0; i < kNodes; ++i) {
    const NodeInfo& node = healthy->nodes[static_cast<size_t>(i)];
    EXPECT_EQ(node.id, i + 1);
    EXPECT_EQ(node.name, "node-" + std::to_string(i + 1));
    EXPECT_EQ(node.address, Address(i));
    EXPECT_EQ(node.state, NodeState::kActive);
    EXPECT_TRUE(node.reachable);
  }
  const auto only = admin_->DescribeCluster("t");
  ASSERT_EQ(only->partitions.size(), 3u);
  for (const PartitionStateInfo& partition : only->partitions) {
    EXPECT_EQ(partition.members.size(), 3u);
    EXPECT_EQ(partition.replicas.size(), 3u);
  }
  EXPECT_EQ(ErrorReason(admin_->DescribeCluster("no").status()), "UNKNOWN_TOPIC");

  StopNode(2);
  ASSERT_TRUE(Await([&] {
    const auto cluster = admin_->DescribeCluster("t");
    return cluster.ok() && !cluster->nodes[2].reachable && cluster->partitions[0].under_replicated;
  }));
  ASSERT_TRUE(Await([&] {
    const auto waits = admin_->ExplainCluster();
    return waits.ok() && std::any_of(waits->begin(), waits->end(), [](const WaitInfo& wait) {
             return wait.about.find("node 3") != std::string::npos && !wait.why.empty();
           });
  }));
}

TEST_F(ClusterTest, ADrainedNodeIsEmptied) {
  const auto created = admin_->CreateTopic({.name = "t", .partition_count = 2});
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(ErrorReason(admin_->RemoveNode(2)), "NODE_IN_USE");
  EXPECT_EQ(ErrorReason(admin_->DrainNode(9)), "UNKNOWN_NODE");

  ASSERT_TRUE(admin_->DrainNode(2).ok());
  EXPECT_EQ(admin_->DescribeCluster()->nodes[1].state, NodeState::kDraining);
  ASSERT_TRUE(admin_->ResumeNode(2).ok());
  EXPECT_EQ(admin_->DescribeCluster()->nodes[1].state, NodeState::kActive);

  ASSERT_TRUE(admin_->DrainNode(3).ok());
  ASSERT_TRUE(Await([&] {
    const auto cluster = admin_->DescribeCluster();
    return cluster.ok() && std::none_of(cluster->partitions.begin(), cluster->partitions.end(),
                                        [](const PartitionStateInfo& row) {
                                          return std::find(row.replicas.begin(), row.replicas.end(),
                                                           3) != row.replicas.end();
                                        });
  })) << log_lines_.str();
}

TEST_F(ClusterTest, TheReplicationFactorCanBeRaised) {
  const auto created = admin_->CreateTopic({.name = "t", .replication_factor = 1});
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(admin_->DescribeTopic("t")->partitions[0].replicas.size(), 1u);
  const auto altered = admin_->AlterTopic("t", {}, 3);
  ASSERT_TRUE(altered.ok()) << altered.status();
  EXPECT_EQ(altered->replication_factor, 3);
  ASSERT_TRUE(Await([&] {
    const auto topic = admin_->DescribeTopic("t");
    return topic.ok() && topic->partitions[0].replicas.size() == 3 && InSync("t");
  })) << log_lines_.str();
}

}  // namespace
}  // namespace cairn::server
