#include "cluster/placement.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "cluster/validate.h"

namespace cairn::cluster {
namespace {

// The finaliser of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators,
// OOPSLA 2014): the same on every machine, unlike std::hash.
uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

void MakeFirst(std::vector<NodeId>& replicas, NodeId node) {
  const auto at = std::find(replicas.begin(), replicas.end(), node);
  std::rotate(replicas.begin(), at, at + 1);
}

// One leadership that moves: of `partition`, to `to`.
struct Hand {
  size_t partition;
  NodeId to;
};

// The shortest chain of hand-overs from `heavy` to a node that leads at least two less: breadth
// first over "leads a partition of which the other has a replica". Empty: there is none.
std::vector<Hand> FindChain(std::span<const std::vector<NodeId>> partitions,
                            const std::map<NodeId, std::vector<size_t>>& led_by,
                            const std::map<NodeId, int64_t>& leaders, NodeId heavy) {
  std::map<NodeId, std::pair<NodeId, size_t>> reached_from;  // the node before, the partition
  std::vector<NodeId> queue = {heavy};
  for (size_t head = 0; head < queue.size(); ++head) {
    const NodeId from = queue[head];
    const auto led = led_by.find(from);
    if (led == led_by.end()) continue;
    for (const size_t partition : led->second) {
      for (const NodeId to : partitions[partition]) {
        if (to == heavy || !leaders.contains(to) || reached_from.contains(to)) continue;
        reached_from[to] = {from, partition};
        queue.push_back(to);
        if (leaders.at(to) > leaders.at(heavy) - 2) continue;
        std::vector<Hand> chain;
        for (NodeId node = to; node != heavy; node = reached_from[node].first) {
          chain.push_back({reached_from[node].second, node});
        }
        return chain;
      }
    }
  }
  return {};
}

}  // namespace

Placement::Placement(const Metadata& metadata, std::set<NodeId> candidates)
    : candidates_(std::move(candidates)) {
  for (const auto& [id, node] : metadata.nodes) loads_[id].rack = RackOf(node);
  for (const auto& [number, topic] : metadata.topics) {
    for (const PartitionInfo& partition : topic.partitions) {
      for (const NodeId node : partition.replicas) {
        ++loads_[node].replicas;
        ++loads_[node].of_topic[number];
      }
    }
  }
}

std::optional<NodeId> Placement::Choose(TopicNumber topic, const std::vector<NodeId>& others,
                                        uint64_t salt) {
  std::map<std::string, int64_t> rack_use;
  for (const NodeId node : others) ++rack_use[loads_[node].rack];
  std::optional<NodeId> best;
  std::tuple<int64_t, int64_t, int64_t, uint64_t> best_cost;
  for (const NodeId node : candidates_) {
    if (Contains(others, node)) continue;
    Load& load = loads_[node];
    const std::tuple cost(rack_use[load.rack], load.of_topic[topic], load.replicas,
                          Mix(salt ^ Mix(static_cast<uint64_t>(node.value()))));
    if (best.has_value() && cost >= best_cost) continue;
    best = node;
    best_cost = cost;
  }
  if (best.has_value()) {
    ++loads_[*best].replicas;
    ++loads_[*best].of_topic[topic];
  }
  return best;
}

absl::StatusOr<std::vector<std::vector<NodeId>>> PlaceTopic(const Metadata& metadata,
                                                            const std::set<NodeId>& candidates,
                                                            int32_t partitions, int32_t factor) {
  if (partitions < 1 || partitions > broker::kMaxPartitionsPerTopic) {
    return absl::InvalidArgumentError(base::StrCat(
        "a topic has 1 to ", broker::kMaxPartitionsPerTopic, " partitions, not ", partitions));
  }
  CAIRN_RETURN_IF_ERROR(ValidateFactor(metadata, factor));
  if (candidates.empty()) return absl::UnavailableError("no node answers that could hold a topic");
  const int32_t wanted = factor > 0 ? factor : metadata.settings.default_replication_factor;
  const size_t replicas = std::min(static_cast<size_t>(wanted), candidates.size());

  std::map<NodeId, int64_t> leaders;
  for (const NodeId node : candidates) leaders[node] = 0;
  for (const auto& [number, topic] : metadata.topics) {
    for (const PartitionInfo& partition : topic.partitions) ++leaders[partition.replicas.front()];
  }
  std::map<NodeId, int64_t> now = leaders;
  Placement placement(metadata, candidates);
  std::vector<std::vector<NodeId>> placed(static_cast<size_t>(partitions));
  for (size_t i = 0; i < placed.size(); ++i) {
    std::vector<NodeId>& nodes = placed[i];
    const uint64_t salt =
        GroupOf(metadata.next_topic, PartitionId(static_cast<int32_t>(i))).value();
    while (nodes.size() < replicas) {
      nodes.push_back(*placement.Choose(metadata.next_topic, nodes, salt));
    }
    MakeFirst(nodes, *std::min_element(nodes.begin(), nodes.end(),
                                       [&](NodeId a, NodeId b) { return now[a] < now[b]; }));
    ++now[nodes.front()];
  }
  BalanceLeaders(placed, leaders, candidates, placed.size());
  return placed;
}

std::vector<size_t> BalanceLeaders(std::span<std::vector<NodeId>> partitions,
                                   std::map<NodeId, int64_t> leaders,
                                   const std::set<NodeId>& usable, size_t max_moves) {
  std::erase_if(leaders, [&](const auto& entry) { return !usable.contains(entry.first); });
  std::map<NodeId, std::vector<size_t>> led_by;
  for (const NodeId node : usable) leaders[node];
  for (size_t i = 0; i < partitions.size(); ++i) {
    const NodeId leader = partitions[i].front();
    if (!usable.contains(leader)) continue;
    ++leaders[leader];
    led_by[leader].push_back(i);
  }
  std::set<size_t> changed;
  const auto find_chain = [&]() -> std::vector<Hand> {
    std::vector<NodeId> heavy_first(usable.begin(), usable.end());
    std::stable_sort(heavy_first.begin(), heavy_first.end(),
                     [&](NodeId a, NodeId b) { return leaders[a] > leaders[b]; });
    for (const NodeId heavy : heavy_first) {
      auto chain = FindChain(partitions, led_by, leaders, heavy);
      if (!chain.empty()) return chain;
    }
    return {};
  };
  while (changed.size() < max_moves) {
    // Each chain brings the sum of squares down, so this ends.
    const auto chain = find_chain();
    if (chain.empty()) break;
    for (const auto& [partition, to] : chain) {
      const NodeId from = partitions[partition].front();
      std::erase(led_by[from], partition);
      led_by[to].push_back(partition);
      --leaders[from];
      ++leaders[to];
      MakeFirst(partitions[partition], to);
      changed.insert(partition);
    }
  }
  return {changed.begin(), changed.end()};
}

}  // namespace cairn::cluster
