// Placement: which nodes hold the replicas of a partition, and which of them leads.
//
// Pure and deterministic. Rules, in their order: replicas of one partition on different nodes
// (always); on as many racks as there are; the replicas of one topic evenly over the nodes; all
// replicas evenly over the nodes. A node without a rack is a rack of its own.
//
// Nothing is ever moved only to even out replicas: that costs more than it gives.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/types.h"
#include "cluster/metadata.h"

namespace cairn::cluster {

inline bool Contains(const std::vector<NodeId>& nodes, NodeId node) {
  return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

// Chooses nodes one at a time and counts what it chose.
class Placement {
 public:
  // `candidates` may take new replicas; the load is that of `metadata`.
  Placement(const Metadata& metadata, std::set<NodeId> candidates);

  // The candidate that should join `others` in a partition of `topic`, counted as chosen. nullopt:
  // there is none that is not among them. `salt` decides ties, so that the partitions of one node
  // do not all share a second one.
  std::optional<NodeId> Choose(TopicNumber topic, const std::vector<NodeId>& others, uint64_t salt);

 private:
  struct Load {
    std::string rack;
    int64_t replicas = 0;
    std::map<TopicNumber, int64_t> of_topic;
  };

  std::set<NodeId> candidates_;
  std::map<NodeId, Load> loads_;  // of all nodes, since the others' racks count
};

// The replicas of a new topic's partitions, preferred leader first. `factor` 0: automatic. Fewer
// candidates than the factor give fewer replicas; the rest is healed when nodes come back.
// Errors: INVALID_ARGUMENT for a count of partitions or a factor that is not possible;
// UNAVAILABLE when there is no candidate.
absl::StatusOr<std::vector<std::vector<NodeId>>> PlaceTopic(const Metadata& metadata,
                                                            const std::set<NodeId>& candidates,
                                                            int32_t partitions, int32_t factor);

// Evens out who leads how much by moving leadership within the replicas of partitions, with as few
// moves as that takes. `leaders` counts what each node leads besides `partitions`; only nodes in
// `usable` give or get leadership. Stops behind `max_moves`, or a few more to end what it began.
// Returns the partitions that changed: their first replica is another.
std::vector<size_t> BalanceLeaders(std::span<std::vector<NodeId>> partitions,
                                   std::map<NodeId, int64_t> leaders,
                                   const std::set<NodeId>& usable, size_t max_moves);

}  // namespace cairn::cluster
