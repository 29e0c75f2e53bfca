#include "apps/cluster_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace cairn::apps {
namespace {

using Json = nlohmann::ordered_json;

Json ToJson(const std::vector<PartitionMember>& members) {
  Json rows = Json::array();
  for (const PartitionMember& member : members) {
    Json row = {{"node", member.node},
                {"role", member.votes ? "voter" : "standby"},
                {"reachable", member.reachable}};
    if (member.damaged) row["damaged"] = true;
    if (member.lag_entries) row["lag_batches"] = *member.lag_entries;
    rows.push_back(std::move(row));
  }
  return rows;
}

Json ToJson(const PartitionStateInfo& partition) {
  return {{"topic", partition.topic},
          {"partition", partition.partition},
          {"leader", partition.leader},
          {"replicas", partition.replicas},
          {"members", ToJson(partition.members)},
          {"under_replicated", partition.under_replicated}};
}

}  // namespace

std::string_view ToText(NodeState state) {
  switch (state) {
    case NodeState::kActive:
      return "active";
    case NodeState::kDraining:
      return "draining";
    case NodeState::kDead:
      return "dead";
  }
  return "unknown";
}

NodeLoad LoadOf(const ClusterInfo& cluster, int32_t node) {
  NodeLoad load;
  for (const PartitionStateInfo& partition : cluster.partitions) {
    if (partition.leader == node) ++load.leads;
    const auto& replicas = partition.replicas;
    if (std::find(replicas.begin(), replicas.end(), node) != replicas.end()) ++load.holds;
  }
  return load;
}

Json ToJson(const ClusterInfo& cluster) {
  Json json = {{"cluster_id", cluster.id},
               {"controller", cluster.controller},
               {"controller_members", ToJson(cluster.controller_members)},
               {"nodes", Json::array()},
               {"partitions", Json::array()}};
  for (const NodeInfo& node : cluster.nodes) {
    Json row = {{"id", node.id},
                {"name", node.name},
                {"address", node.address},
                {"state", ToText(node.state)},
                {"reachable", node.reachable},
                {"gossip", node.gossip},
                {"version", node.version},
                {"leads", LoadOf(cluster, node.id).leads},
                {"holds", LoadOf(cluster, node.id).holds}};
    if (!node.rack.empty()) row["rack"] = node.rack;
    json["nodes"].push_back(std::move(row));
  }
  for (const PartitionStateInfo& partition : cluster.partitions) {
    json["partitions"].push_back(ToJson(partition));
  }
  return json;
}

Json ToJson(const TopicInfo& topic) {
  Json settings = Json::object();
  const auto set = [&](const char* name, const std::optional<int64_t>& value) {
    if (value) settings[name] = *value;
  };
  set("retention_bytes", topic.settings.retention_bytes);
  set("retention_ms", topic.settings.retention_ms);
  set("segment_bytes", topic.settings.segment_bytes);
  set("segment_ms", topic.settings.segment_ms);
  set("max_record_bytes", topic.settings.max_record_bytes);
  set("max_batch_bytes", topic.settings.max_batch_bytes);
  Json json = {{"name", topic.name},
               {"id", topic.id},
               {"partition_count", topic.partition_count},
               {"replication_factor", topic.replication_factor},
               {"created_ms", topic.created_ms},
               {"settings", settings}};
  for (const PartitionInfo& partition : topic.partitions) {
    Json row = {{"partition", partition.partition},
                {"log_start", partition.log_start},
                {"high_watermark", partition.high_watermark},
                {"leader", partition.leader},
                {"replicas", partition.replicas}};
    if (!partition.error.empty()) row["error"] = partition.error;
    json["partitions"].push_back(row);
  }
  return json;
}

Json ToJson(const std::vector<TopicInfo>& topics) {
  Json rows = Json::array();
  for (const TopicInfo& topic : topics) rows.push_back(ToJson(topic));
  return {{"topics", rows}};
}

Json ToJson(const std::vector<WaitInfo>& waits) {
  Json rows = Json::array();
  for (const WaitInfo& wait : waits) rows.push_back({{"about", wait.about}, {"why", wait.why}});
  return {{"waits", rows}};
}

Json ToJson(const std::vector<MemberInfo>& members) {
  Json rows = Json::array();
  for (const MemberInfo& member : members) {
    rows.push_back({{"name", member.name},
                    {"address", member.address},
                    {"status", member.status},
                    {"kind", member.kind},
                    {"tags", member.tags}});
  }
  return {{"members", rows}};
}

}  // namespace cairn::apps
