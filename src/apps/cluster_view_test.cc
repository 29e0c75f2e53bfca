#include "apps/cluster_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "apps/cluster_view_testing.h"

namespace cairn::apps {
namespace {

using testing::ElementsAre;
using testing::Pair;

TEST(ClusterViewTest, MakesRatesOfTwoSamples) {
  const ClusterSample before = SampleAt(1);
  const ClusterView view = MakeView(&before, SampleAt(3));
  const NodeRow& node = view.nodes.at(0);
  EXPECT_TRUE(node.well);
  EXPECT_EQ(node.state, "active");
  EXPECT_EQ(node.leaders, 1);
  EXPECT_EQ(node.followers, 1);
  EXPECT_EQ(node.rates.in_records, 1000);
  EXPECT_EQ(node.rates.in_bytes, 200'000);
  EXPECT_EQ(node.rates.out_records, 500);
  EXPECT_EQ(node.cpu_percent, 100);
  EXPECT_NEAR(*node.fsync_p99_s, 0.0019, 1e-9);
  EXPECT_NEAR(*node.produce_p50_s, 0.005, 1e-9);
  EXPECT_EQ(view.rates.in_records, 1000);
  EXPECT_EQ(view.under_replicated, 2u);
}

TEST(ClusterViewTest, WithoutASampleBeforeThereAreNoRates) {
  const ClusterView view = MakeView(nullptr, SampleAt(3));
  EXPECT_EQ(view.rates.in_records, std::nullopt);
  EXPECT_EQ(view.nodes.at(0).cpu_percent, std::nullopt);
  EXPECT_EQ(view.nodes.at(0).memory_bytes, 52'000'000);
  ClusterSample silent = SampleAt(1);
  silent.nodes[1].metrics = absl::UnavailableError("was away");
  EXPECT_EQ(MakeView(&silent, SampleAt(3)).rates.in_records, std::nullopt);
}

TEST(ClusterViewTest, ACounterThatFellBeganAgain) {
  const ClusterSample before = SampleAt(100);
  ClusterSample now = SampleAt(2);  // restarted: counters of two seconds
  now.nodes[1].at_s = 104;
  const ClusterView view = MakeView(&before, now);
  EXPECT_EQ(view.rates.in_records, 500);
  EXPECT_EQ(view.nodes.at(0).cpu_percent, 50);
  EXPECT_NEAR(*view.nodes.at(0).fsync_p99_s, 0.0019, 1e-9);
}

TEST(ClusterViewTest, ANodeThatDoesNotAnswerIsARow) {
  const ClusterView view = MakeView(nullptr, SampleAt(1));
  ASSERT_EQ(view.nodes.size(), 3u);
  EXPECT_EQ(view.nodes[2].state, "no answer");
  EXPECT_EQ(view.nodes[2].error, "node 3 does not answer: no connection");
  EXPECT_EQ(view.nodes[1].state, "not ready");
  EXPECT_TRUE(view.nodes[1].controller);
}

TEST(ClusterViewTest, TopicsAreAddedUpOverPartitionsAndNodes) {
  const ClusterSample before = SampleAt(1);
  const ClusterView view = MakeView(&before, SampleAt(2));
  ASSERT_EQ(view.topics.size(), 2u);
  EXPECT_EQ(view.topics[0].name, "audit");
  EXPECT_EQ(view.topics[0].lag_records, std::nullopt);
  const TopicRow& orders = view.topics[1];
  EXPECT_EQ(orders.partitions, 2u);
  EXPECT_THAT(orders.leaders, ElementsAre(Pair(1, 1), Pair(2, 1)));
  EXPECT_EQ(orders.size_bytes, 7e6);  // the larger copy of each
  EXPECT_EQ(orders.lag_records, 1234);
  EXPECT_EQ(orders.consumers, 1);
  EXPECT_EQ(orders.rates.out_bytes, 100'000);
}

TEST(ClusterViewTest, TopicsAreSortedByWhatIsAsked) {
  const ClusterSample before = SampleAt(1);
  ClusterView view = MakeView(&before, SampleAt(2));
  for (const SortKey key : {SortKey::kIn, SortKey::kOut, SortKey::kSize, SortKey::kLag}) {
    SortTopics(view.topics, key);
    EXPECT_EQ(view.topics[0].name, "orders");
  }
  SortTopics(view.topics, SortKey::kName);
  EXPECT_EQ(view.topics[0].name, "audit");
}

TEST(ClusterViewTest, JsonHasNullForWhatIsNotKnown) {
  const auto json = ToJson(MakeView(nullptr, SampleAt(1)));
  EXPECT_TRUE(json.at("in_records_per_s").is_null());
  EXPECT_EQ(json.at("nodes_ready"), 1);
  EXPECT_EQ(json.at("nodes").at(2).at("error"), "node 3 does not answer: no connection");
  EXPECT_EQ(json.at("topics").at(1).at("lag_records"), 1234);
  EXPECT_EQ(json.at("topics").at(1).at("leaders").dump(), R"({"1":1,"2":1})");
  EXPECT_EQ(json.at("waits").at(0).at("why"), "does not answer");
}

TEST(ClusterViewTest, QuantilesAreOfWhatWasCountedSince) {
  const double infinity = std::numeric_limits<double>::infinity();
  const telemetry::ParsedHistogram before{.buckets = {{1, 10}, {2, 10}, {infinity, 10}}};
  const telemetry::ParsedHistogram now{.buckets = {{1, 10}, {2, 20}, {infinity, 20}}};
  EXPECT_EQ(QuantileSince(&before, now, 0.5), 1.5);
  EXPECT_EQ(QuantileSince(nullptr, now, 0.25), 0.5);
  EXPECT_EQ(QuantileSince(&now, now, 0.5), std::nullopt);
  const telemetry::ParsedHistogram above{.buckets = {{1, 0}, {infinity, 5}}};
  EXPECT_EQ(QuantileSince(nullptr, above, 0.5), 1);
  EXPECT_EQ(QuantileSince(nullptr, {}, 0.5), std::nullopt);
}

}  // namespace
}  // namespace cairn::apps
