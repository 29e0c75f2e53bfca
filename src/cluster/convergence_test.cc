// Whatever happens to a cluster, it comes to rest in the state it should be in, and no step on the
// way breaks the rules (ToyCluster checks each).
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "cluster/toy_cluster_testing.h"

namespace cairn::cluster {
namespace {

size_t UsableCount(ToyCluster& cluster) {
  size_t count = 0;
  for (const auto& [id, node] : cluster.metadata().nodes) {
    if (node.state == NodeState::kActive && cluster.is_up(id)) ++count;
  }
  return count;
}

bool MostAreUp(ToyCluster& cluster) {
  size_t up = 0;
  size_t down = 0;
  for (const auto& [id, node] : cluster.metadata().nodes) {
    if (node.is_member()) ++(cluster.is_up(id) ? up : down);
  }
  return up > down;
}

// Every partition is where it should be, with as many replicas as there can be.
void CheckSatisfied(ToyCluster& cluster) {
  Metadata& metadata = cluster.metadata();
  const size_t usable = UsableCount(cluster);
  RC_LOG() << cluster.TakeTranscript() << cluster.Why();
  for (const auto& [number, topic] : metadata.topics) {
    for (size_t i = 0; i < topic.partitions.size(); ++i) {
      const GroupId group = topic.group(i);
      if (!cluster.HasLeader(group)) continue;
      const PartitionInfo& partition = topic.partitions[i];
      const auto factor = static_cast<size_t>(metadata.ReplicationFactor(topic));
      // With too few nodes a group may have to keep a voter that should go.
      const bool settled = IsSettled(cluster.ConfigurationOf(group), TargetOf(partition));
      RC_ASSERT(settled || usable < factor);
      RC_ASSERT(partition.replicas.size() <= factor || usable < factor);
      RC_ASSERT(partition.replicas.size() >= std::min(factor, usable));
      size_t misplaced = 0;
      for (const NodeId node : partition.replicas) {
        if (metadata.FindNode(node)->state != NodeState::kActive) ++misplaced;
      }
      RC_ASSERT(misplaced == 0u || usable < factor);
      const bool led_as_wanted = cluster.LeaderOf(group) == partition.replicas.front();
      RC_ASSERT(led_as_wanted || !cluster.is_up(partition.replicas.front()));
    }
  }
}

RC_GTEST_PROP(ConvergencePropertyTest, WhateverHappensTheClusterComesToRest, ()) {
  std::vector<std::string> racks;
  const auto nodes = *rc::gen::inRange(1, 6);
  const auto rack_count = *rc::gen::inRange(0, 4);
  for (int i = 0; i < nodes; ++i) {
    racks.push_back(rack_count == 0 ? "" : "r" + std::to_string(i % rack_count));
  }
  ToyCluster cluster(racks);
  cluster.observes_late_ = *rc::gen::arbitrary<bool>();
  Metadata& metadata = cluster.metadata();
  const auto any_node = [&] { return NodeId(*rc::gen::inRange(1, metadata.next_node.value())); };
  int topics = 0;
  const auto steps = *rc::gen::inRange(1, 40);
  for (int i = 0; i < steps; ++i) {
    switch (*rc::gen::inRange(0, 9)) {
      case 0:
        if (metadata.nodes.size() < 9) cluster.Add("r" + std::to_string(*rc::gen::inRange(0, 3)));
        break;
      case 1:
      case 2:
        cluster.Kill(any_node());
        break;
      case 3: {
        const NodeId node = any_node();
        if (metadata.FindNode(node)->is_member()) cluster.Revive(node);
        break;
      }
      case 4: {
        const NodeId node = any_node();
        if (metadata.FindNode(node)->is_member()) cluster.Drain(node);
        break;
      }
      case 5:
        cluster.CreateTopicHere("t" + std::to_string(topics++), *rc::gen::inRange(1, 12),
                                *rc::gen::inRange(0, 2));
        break;
      case 6:
        if (!metadata.topic_names.empty()) cluster.Delete(metadata.topic_names.begin()->first);
        break;
      default:
        cluster.Run(*rc::gen::inRange(1, *rc::gen::element(4, 50)));
    }
    RC_ASSERT(!::testing::Test::HasFailure());
  }
  // With the dead left dead: no endless moving about.
  RC_ASSERT(cluster.Settle());
  RC_ASSERT(!::testing::Test::HasFailure());
  if (MostAreUp(cluster) && cluster.HasLeader(kControllerGroup)) CheckSatisfied(cluster);
  // With all of them back: everything as it should be.
  for (const auto& [id, node] : metadata.nodes) {
    if (node.is_member()) cluster.Revive(id);
  }
  RC_ASSERT(cluster.Settle());
  RC_ASSERT(!::testing::Test::HasFailure());
  CheckSatisfied(cluster);
  for (const auto& [id, node] : metadata.nodes) {
    const bool waits = node.state == NodeState::kDraining && UsableCount(cluster) > 0;
    RC_ASSERT(!waits || metadata.ReplicasOn(id) > 0);
    RC_ASSERT(node.state != NodeState::kDead);
  }
}

}  // namespace
}  // namespace cairn::cluster
