#include "cluster/metadata.h"

#include <algorithm>

#include "base/strings.h"

namespace cairn::cluster {

std::string_view ToString(NodeState state) {
  switch (state) {
    case NodeState::kActive:
      return "active";
    case NodeState::kDraining:
      return "draining";
    case NodeState::kDead:
      return "dead";
    case NodeState::kRemoved:
      return "removed";
  }
  return "unknown";
}

std::string RackOf(const NodeInfo& node) {
  // The separator is not printable, so no rack's name can be the same.
  return node.description.rack.empty() ? base::StrCat("\n", node.id.value())
                                       : node.description.rack;
}

const NodeInfo* Metadata::FindNode(NodeId id) const {
  const auto it = nodes.find(id);
  return it == nodes.end() ? nullptr : &it->second;
}

const NodeInfo* Metadata::FindNodeByUuid(const base::Uuid& uuid) const {
  for (const auto& [id, node] : nodes) {
    if (node.uuid == uuid) return &node;
  }
  return nullptr;
}

const NodeInfo* Metadata::FindNodeByName(std::string_view name) const {
  for (const auto& [id, node] : nodes) {
    if (node.holds_name() && node.description.name == name) return &node;
  }
  return nullptr;
}

const Topic* Metadata::FindTopic(std::string_view name) const {
  const auto it = topic_names.find(name);
  return it == topic_names.end() ? nullptr : FindTopic(it->second);
}

const Topic* Metadata::FindTopic(TopicNumber number) const {
  const auto it = topics.find(number);
  return it == topics.end() ? nullptr : &it->second;
}

const PartitionInfo* Metadata::FindPartition(GroupId group) const {
  const Topic* topic = FindTopic(TopicOf(group));
  const auto partition = static_cast<size_t>(PartitionOf(group).value());
  if (topic == nullptr || partition >= topic->partitions.size()) return nullptr;
  return &topic->partitions[partition];
}

int32_t Metadata::ReplicationFactor(const Topic& topic) const {
  if (topic.replication_factor > 0) return topic.replication_factor;
  const size_t staying = node_count(NodeState::kActive) + node_count(NodeState::kDead);
  return std::max(1, std::min(settings.default_replication_factor, static_cast<int32_t>(staying)));
}

int64_t Metadata::partition_count() const {
  int64_t count = 0;
  for (const auto& [number, topic] : topics) count += static_cast<int64_t>(topic.partitions.size());
  return count;
}

size_t Metadata::node_count(NodeState state) const {
  return static_cast<size_t>(std::count_if(nodes.begin(), nodes.end(),
                                           [&](const auto& n) { return n.second.state == state; }));
}

int64_t Metadata::ReplicasOn(NodeId node) const {
  int64_t count = 0;
  for (const auto& [number, topic] : topics) {
    for (const PartitionInfo& partition : topic.partitions) {
      count += std::count(partition.replicas.begin(), partition.replicas.end(), node);
    }
  }
  return count;
}

std::string Metadata::NodeText(NodeId node) const {
  const NodeInfo* info = FindNode(node);
  if (info == nullptr) return base::StrCat("node ", node.value());
  return base::StrCat("node ", node.value(), " (", info->description.name, ")");
}

std::string Metadata::GroupText(GroupId group) const {
  if (group == kControllerGroup) return "group 0";
  const Topic* topic = FindTopic(TopicOf(group));
  if (topic == nullptr) {
    return base::StrCat("partition ", PartitionOf(group).value(), " of deleted topic number ",
                        TopicOf(group).value());
  }
  return base::StrCat("partition ", topic->name, "/", PartitionOf(group).value());
}

broker::TopicInfo ToTopicInfo(const Metadata& metadata, const Topic& topic) {
  broker::TopicInfo info;
  info.name = topic.name;
  info.id = topic.id;
  info.partition_count = static_cast<int32_t>(topic.partitions.size());
  info.replication_factor = metadata.ReplicationFactor(topic);
  info.settings = topic.settings;
  info.created_ms = topic.created_ms;
  return info;
}

}  // namespace cairn::cluster
