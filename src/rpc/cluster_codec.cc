#include "rpc/cluster_codec.h"

#include <algorithm>

#include "cluster/next_step.h"

namespace cairn::rpc {
namespace {

using cluster::GroupView;
using cluster::NodeState;
using consensus::MemberRole;

v1::NodeState ToProto(NodeState state) {
  switch (state) {
    case NodeState::kActive:
      return v1::NODE_STATE_ACTIVE;
    case NodeState::kDraining:
      return v1::NODE_STATE_DRAINING;
    case NodeState::kDead:
      return v1::NODE_STATE_DEAD;
    case NodeState::kRemoved:
      break;
  }
  return v1::NODE_STATE_UNSPECIFIED;
}

// How many of the replicas vote, answer and keep up.
size_t CountInSync(const GroupView& view, const std::vector<NodeId>& replicas) {
  return static_cast<size_t>(std::count_if(replicas.begin(), replicas.end(), [&](NodeId node) {
    if (!view.configuration.IsVoter(node)) return false;
    if (node == view.leader) return true;
    const auto seen = view.members.find(node);
    return seen != view.members.end() && seen->second.reachable && !seen->second.damaged &&
           seen->second.lag_entries.value_or(UINT64_MAX) <= cluster::kPromoteLagEntries;
  }));
}

void WriteMember(const GroupView& view, const consensus::Member& member, v1::PartitionMember& to) {
  to.set_node(member.node.value());
  to.set_role(member.role == MemberRole::kVoter ? v1::MEMBER_ROLE_VOTER : v1::MEMBER_ROLE_STANDBY);
  to.set_reachable(member.node == view.leader);
  const auto seen = view.members.find(member.node);
  if (seen == view.members.end()) return;
  to.set_reachable(to.reachable() || seen->second.reachable);
  to.set_damaged(seen->second.damaged);
  if (seen->second.lag_entries) to.set_lag_entries(*seen->second.lag_entries);
}

void WritePartition(const cluster::Metadata& metadata, const cluster::ClusterReport& report,
                    const cluster::Topic& topic, size_t index, v1::PartitionState& to) {
  const cluster::PartitionInfo& partition = topic.partitions[index];
  to.set_topic(topic.name);
  to.set_partition(static_cast<int32_t>(index));
  for (const NodeId node : partition.replicas) to.add_replicas(node.value());
  const auto found = report.groups.find(topic.group(index));
  if (found == report.groups.end()) {
    to.set_under_replicated(true);
    return;
  }
  const GroupView& view = found->second;
  to.set_leader(view.leader.value());
  for (const consensus::Member& member : view.configuration.members()) {
    WriteMember(view, member, *to.add_members());
  }
  const size_t wanted = std::max<size_t>(partition.replicas.size(),
                                         static_cast<size_t>(metadata.ReplicationFactor(topic)));
  to.set_under_replicated(CountInSync(view, partition.replicas) < wanted);
}

}  // namespace

void WriteNode(const cluster::NodeInfo& node, v1::Node& to) {
  to.set_id(node.id.value());
  to.set_name(node.description.name);
  to.set_address(node.description.rpc_address);
  to.set_rack(node.description.rack);
  to.set_version(node.description.version);
  to.set_state(ToProto(node.state));
}

void WriteLeaders(const cluster::Node& node, v1::DescribeTopicResponse& to) {
  const auto view = node.metadata();
  to.set_node(node.id().value());
  for (const auto& [id, info] : view->metadata.nodes) {
    if (info.is_member()) WriteNode(info, *to.add_nodes());
  }
  const cluster::Topic* topic = view->metadata.FindTopic(to.topic().name());
  if (topic == nullptr) return;  // deleted meanwhile
  for (v1::Partition& row : *to.mutable_topic()->mutable_partitions()) {
    const auto index = static_cast<size_t>(row.partition());
    if (index >= topic->partitions.size()) continue;
    row.set_leader(node.LeaderOf(topic->group(index)).value());
    for (const NodeId replica : topic->partitions[index].replicas) {
      row.add_replicas(replica.value());
    }
  }
}

void WriteCluster(const cluster::Metadata& metadata, const cluster::ClusterReport& report,
                  const std::map<NodeId, cluster::GossipObservation>& gossip,
                  const std::string& topic, v1::DescribeClusterResponse& to) {
  to.set_cluster_id(metadata.cluster_id.ToString());
  to.set_controller(report.controller.value());
  const auto controller = report.groups.find(cluster::kControllerGroup);
  if (controller != report.groups.end()) {
    for (const consensus::Member& member : controller->second.configuration.members()) {
      WriteMember(controller->second, member, *to.add_controller_members());
    }
  }
  for (const auto& [id, node] : metadata.nodes) {
    if (!node.is_member()) continue;
    v1::Node& row = *to.add_nodes();
    WriteNode(node, row);
    row.set_reachable(std::find(report.reachable.begin(), report.reachable.end(), id) !=
                      report.reachable.end());
    const auto said = gossip.find(id);
    row.set_gossip(std::string(
        ToString(said == gossip.end() ? cluster::GossipStatus::kUnknown : said->second.status)));
  }
  for (const auto& [name, number] : metadata.topic_names) {
    if (!topic.empty() && name != topic) continue;
    const cluster::Topic& info = metadata.topics.at(number);
    for (size_t i = 0; i < info.partitions.size(); ++i) {
      WritePartition(metadata, report, info, i, *to.add_partitions());
    }
  }
}

}  // namespace cairn::rpc
