// What a traced write tells of its way through a cluster.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "log/records.h"
#include "sim/sim_cluster.h"
#include "telemetry/recording_tracer_testing.h"

namespace cairn::sim {
namespace {

constexpr size_t kNodes = 3;

class TraceTest : public ::testing::Test {
 protected:
  TraceTest() {
    world_.tracer = &tracer_;
    cluster_ = std::make_unique<SimCluster>(world_, kNodes);
    for (size_t i = 0; i < kNodes; ++i) cluster_->machine(i).Boot();
    RunUntil([&] {
      const auto view = cluster_->Metadata();
      return view != nullptr && !view->metadata.topics.empty() &&
             view->metadata.topics.begin()->second.partitions[0].replicas.size() == kNodes &&
             cluster_->Unsettled(true).empty();
    });
  }

  template <typename Condition>
  void RunUntil(Condition condition) {
    for (int i = 0; i < 1000 && !condition(); ++i) world_.fabric.RunFor(100 * kMs);
    ASSERT_TRUE(condition()) << cluster_->Unsettled(false) << world_.finding();
  }

  std::optional<absl::StatusOr<broker::ProduceResult>> Produce(base::TraceContext trace) {
    const auto view = cluster_->Metadata();
    const cluster::Topic& topic = view->metadata.topics.begin()->second;
    const auto leader = cluster_->MachineOf(cluster_->machine(0).node().LeaderOf(topic.group(0)));
    auto partition = cluster_->machine(*leader).node().FindPartition(topic.name, PartitionId(0));
    log::BatchBuilder builder;
    builder.Add(std::nullopt, "value", world_.clock.WallMs());
    log::Batch batch = builder.Take();
    batch.trace = trace;
    std::optional<absl::StatusOr<broker::ProduceResult>> result;
    (*partition)->Produce(std::move(batch), std::nullopt, [&](auto answer) { result = answer; });
    RunUntil([&] { return result.has_value(); });
    return result;
  }

  telemetry::RecordingTracer tracer_;
  World world_{1, false};
  std::unique_ptr<SimCluster> cluster_;
};

TEST_F(TraceTest, AWriteIsFollowedToTheDiskOfEachReplica) {
  const base::TraceContext root = tracer_.Root();
  const auto result = Produce(root);
  ASSERT_TRUE(result.has_value() && result->ok());
  RunUntil([&] { return tracer_.Named("append").size() == kNodes - 1; });
  RunUntil([&] { return tracer_.Named("replicate").size() == kNodes - 1; });

  EXPECT_EQ(tracer_.ChildrenOf(root, "batch wait").size(), 1U);
  const auto commits = tracer_.ChildrenOf(root, "commit");
  ASSERT_EQ(commits.size(), 1U);
  EXPECT_EQ(tracer_.ChildrenOf(commits[0].context, "disk wait").size(), 1U);
  EXPECT_EQ(tracer_.ChildrenOf(commits[0].context, "fsync").size(), 1U);
  const auto replications = tracer_.ChildrenOf(commits[0].context, "replicate");
  ASSERT_EQ(replications.size(), kNodes - 1);
  for (const telemetry::Span& replication : replications) {
    const auto appends = tracer_.ChildrenOf(replication.context, "append");
    ASSERT_EQ(appends.size(), 1U);
    EXPECT_EQ(tracer_.ChildrenOf(appends[0].context, "disk wait").size(), 1U);
    EXPECT_EQ(tracer_.ChildrenOf(appends[0].context, "fsync").size(), 1U);
    EXPECT_GE(appends[0].start_ns, replication.start_ns);
    EXPECT_LE(appends[0].end_ns, replication.end_ns);
  }
  for (const telemetry::Span& span : tracer_.spans()) {
    EXPECT_EQ(span.context.trace_id, root.trace_id);
    EXPECT_GE(span.end_ns, span.start_ns);
    EXPECT_TRUE(span.status.ok()) << span.name << ": " << span.status;
  }
}

TEST_F(TraceTest, AWriteThatIsNotTracedSaysNothing) {
  const auto result = Produce({});
  ASSERT_TRUE(result.has_value() && result->ok());
  EXPECT_TRUE(tracer_.spans().empty());
}

}  // namespace
}  // namespace cairn::sim
