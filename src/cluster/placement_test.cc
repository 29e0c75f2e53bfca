#include "cluster/placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "cluster/cluster_testing.h"

namespace cairn::cluster {
namespace {

using Partitions = std::vector<std::vector<NodeId>>;

std::set<NodeId> ActiveNodes(const Metadata& metadata) {
  std::set<NodeId> nodes;
  for (const auto& [id, node] : metadata.nodes) {
    if (node.state == NodeState::kActive) nodes.insert(id);
  }
  return nodes;
}

// Largest minus smallest, over the nodes of `metadata`.
struct Spread {
  int64_t replicas;
  int64_t leaders;
};
Spread SpreadOf(const Metadata& metadata) {
  std::map<NodeId, int64_t> replicas;
  std::map<NodeId, int64_t> leaders;
  for (const auto& [id, node] : metadata.nodes) replicas[id] = leaders[id] = 0;
  for (const auto& [number, topic] : metadata.topics) {
    for (const auto& partition : topic.partitions) {
      for (const NodeId node : partition.replicas) ++replicas[node];
      ++leaders[partition.replicas.front()];
    }
  }
  const auto spread = [](const std::map<NodeId, int64_t>& counts) {
    const auto [low, high] = std::minmax_element(
        counts.begin(), counts.end(), [](auto& a, auto& b) { return a.second < b.second; });
    return high->second - low->second;
  };
  return {spread(replicas), spread(leaders)};
}

size_t RacksOf(const Metadata& metadata, const std::vector<NodeId>& replicas) {
  std::set<std::string> racks;
  for (const NodeId node : replicas) {
    const std::string& rack = metadata.nodes.at(node).description.rack;
    racks.insert(rack.empty() ? "of node " + std::to_string(node.value()) : rack);
  }
  return racks.size();
}

std::vector<std::string> AnyRacks() {
  const auto nodes = *rc::gen::inRange(1, 12);
  const auto racks = *rc::gen::inRange(0, 5);
  std::vector<std::string> names;
  for (int i = 0; i < nodes; ++i) {
    const auto rack = racks == 0 ? 0 : *rc::gen::inRange(0, racks);
    names.push_back(rack == 0 ? "" : "r" + std::to_string(rack));
  }
  return names;
}

TEST(PlacementTest, ThreeNodesShareSixPartitions) {
  const Metadata metadata = TestCluster(3);
  const auto placed = PlaceTopic(metadata, ActiveNodes(metadata), 6, 0);
  ASSERT_TRUE(placed.ok());
  std::map<NodeId, int> leaders;
  for (const auto& replicas : *placed) {
    EXPECT_EQ(replicas.size(), 3u);
    ++leaders[replicas.front()];
  }
  EXPECT_EQ(leaders, (std::map<NodeId, int>{{NodeId(1), 2}, {NodeId(2), 2}, {NodeId(3), 2}}));
}

TEST(PlacementTest, ANewTopicDoesNotPileUpOnAnEmptyNode) {
  Metadata metadata = TestCluster(3);
  Create(metadata, "old", *PlaceTopic(metadata, ActiveNodes(metadata), 30, 0));
  Join(metadata);
  std::map<NodeId, int> replicas;
  const auto placed = PlaceTopic(metadata, ActiveNodes(metadata), 8, 1);
  ASSERT_TRUE(placed.ok());
  for (const auto& nodes : *placed) {
    ++replicas[nodes.front()];
  }
  EXPECT_EQ(replicas[NodeId(4)], 2);
}

TEST(PlacementTest, SaysWhatIsNotPossible) {
  const Metadata metadata = TestCluster(2);
  EXPECT_EQ(PlaceTopic(metadata, ActiveNodes(metadata), 1, 3).status().message(),
            "replication factor 3 needs as many brokers; there are 2");
  EXPECT_TRUE(absl::IsInvalidArgument(PlaceTopic(metadata, ActiveNodes(metadata), 0, 1).status()));
  EXPECT_TRUE(absl::IsUnavailable(PlaceTopic(metadata, {}, 1, 1).status()));
}

TEST(PlacementTest, ASilentNodeGetsNothing) {
  const Metadata metadata = TestCluster(3);
  const auto placed = PlaceTopic(metadata, {NodeId(1), NodeId(3)}, 4, 3);
  ASSERT_TRUE(placed.ok());
  for (auto replicas : *placed) {
    std::sort(replicas.begin(), replicas.end());
    EXPECT_EQ(replicas, Ids({1, 3}));
  }
}

TEST(PlacementTest, LeadershipGoesThroughAThirdNodeWhereItMust) {
  // Node 1 leads too much and shares nothing with node 3, which leads nothing.
  Partitions partitions = {Ids({1, 2}), Ids({1, 2}), Ids({2, 3})};
  EXPECT_EQ(BalanceLeaders(partitions, {}, {NodeId(1), NodeId(2), NodeId(3)}, 9).size(), 2u);
  std::set<NodeId> leaders;
  for (const auto& replicas : partitions) leaders.insert(replicas.front());
  EXPECT_EQ(leaders.size(), 3u);
}

RC_GTEST_PROP(PlacementPropertyTest, EveryPlacementKeepsTheRules, ()) {
  Metadata metadata = TestCluster(AnyRacks());
  const std::set<NodeId> nodes = ActiveNodes(metadata);
  std::set<std::string> racks;
  for (const NodeId node : nodes) {
    const std::string& rack = metadata.nodes.at(node).description.rack;
    racks.insert(rack.empty() ? std::to_string(node.value()) : rack);
  }
  const auto topics = *rc::gen::inRange(1, 6);
  for (int i = 0; i < topics; ++i) {
    const auto factor =
        *rc::gen::inRange(1, static_cast<int>(std::min<size_t>(nodes.size(), 5)) + 1);
    const auto partitions = *rc::gen::inRange(1, 20);
    const auto placed = PlaceTopic(metadata, nodes, partitions, factor);
    RC_ASSERT(placed.ok());
    RC_ASSERT(placed == PlaceTopic(metadata, nodes, partitions, factor));
    for (const auto& replicas : *placed) {
      RC_ASSERT(replicas.size() == static_cast<size_t>(factor));
      RC_ASSERT(std::set<NodeId>(replicas.begin(), replicas.end()).size() == replicas.size());
      RC_ASSERT(RacksOf(metadata, replicas) == std::min(replicas.size(), racks.size()));
    }
    Create(metadata, "t" + std::to_string(i), *placed, factor);
  }
}

RC_GTEST_PROP(PlacementPropertyTest, WithoutRacksEverythingIsSpreadWithinOne, ()) {
  Metadata metadata = TestCluster(static_cast<size_t>(*rc::gen::inRange(1, 12)));
  const std::set<NodeId> nodes = ActiveNodes(metadata);
  const auto topics = *rc::gen::inRange(1, 6);
  for (int i = 0; i < topics; ++i) {
    const auto factor =
        *rc::gen::inRange(1, static_cast<int>(std::min<size_t>(nodes.size(), 5)) + 1);
    const auto partitions = *rc::gen::inRange(1, 40);
    Create(metadata, "t" + std::to_string(i), *PlaceTopic(metadata, nodes, partitions, factor),
           factor);
    RC_ASSERT(SpreadOf(metadata).replicas <= 1);
    // Later topics get their leaders spread as far as their own replicas allow; the reconcile loop
    // does the rest with all partitions together.
    if (i == 0) RC_ASSERT(SpreadOf(metadata).leaders <= 1);
  }
}

RC_GTEST_PROP(PlacementPropertyTest, BalancingMovesOnlyLeadersAndOnlyWhenItHelps, ()) {
  const auto nodes = *rc::gen::inRange(1, 8);
  Partitions partitions;
  std::set<NodeId> usable;
  for (int i = 1; i <= nodes; ++i) usable.insert(NodeId(i));
  const auto count = *rc::gen::inRange(1, 30);
  for (int i = 0; i < count; ++i) {
    std::set<NodeId> replicas;
    const auto size = *rc::gen::inRange(1, nodes + 1);
    while (replicas.size() < static_cast<size_t>(size)) {
      replicas.insert(NodeId(*rc::gen::inRange(1, nodes + 1)));
    }
    partitions.emplace_back(replicas.begin(), replicas.end());
  }
  const Partitions before = partitions;
  const auto changed = BalanceLeaders(partitions, {}, usable, partitions.size());
  for (size_t i = 0; i < partitions.size(); ++i) {
    const bool listed = std::find(changed.begin(), changed.end(), i) != changed.end();
    RC_ASSERT(listed || partitions[i] == before[i]);
    RC_ASSERT(std::is_permutation(partitions[i].begin(), partitions[i].end(), before[i].begin(),
                                  before[i].end()));
  }
  RC_ASSERT(BalanceLeaders(partitions, {}, usable, partitions.size()).empty());
}

}  // namespace
}  // namespace cairn::cluster
