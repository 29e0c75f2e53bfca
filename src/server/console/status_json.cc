#include "server/console/status_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/strings.h"
#include "cairn/v1/admin.pb.h"
#include "rpc/cluster_codec.h"

namespace cairn::server {
namespace {

using Json = nlohmann::json;

// 0 stands for nobody.
Json NodeOrNull(int32_t node) { return node == 0 ? Json() : Json(node); }

std::string_view NameOf(v1::NodeState state) {
  switch (state) {
    case v1::NODE_STATE_ACTIVE:
      return "active";
    case v1::NODE_STATE_DRAINING:
      return "draining";
    case v1::NODE_STATE_DEAD:
      return "dead";
    default:
      return "unknown";
  }
}

Json MembersOf(const google::protobuf::RepeatedPtrField<v1::PartitionMember>& members) {
  Json rows = Json::array();
  for (const v1::PartitionMember& member : members) {
    rows.push_back(
        {{"node", member.node()},
         {"voter", member.role() == v1::MEMBER_ROLE_VOTER},
         {"reachable", member.reachable()},
         {"damaged", member.damaged()},
         {"lag_entries", member.has_lag_entries() ? Json(member.lag_entries()) : Json()}});
  }
  return rows;
}

class StatusWriter {
 public:
  explicit StatusWriter(const StatusSources& sources)
      : sources_(sources), view_(sources.node.metadata()) {
    rpc::WriteCluster(view_->metadata,
                      sources.report.ok() ? *sources.report : cluster::ClusterReport(),
                      sources.gossip, sources.topic, cluster_);
  }

  Json Write() {
    Json json = {{"time_ms", sources_.now_ms},
                 {"cluster_id", cluster_.cluster_id()},
                 {"node", Self()},
                 {"controller", NodeOrNull(cluster_.controller())},
                 {"controller_members", MembersOf(cluster_.controller_members())},
                 {"nodes", Nodes()}};
    AddTopics(json);
    if (!sources_.report.ok()) json["controller_error"] = Text(sources_.report.status());
    if (!sources_.topic.empty()) return json;
    json["waits"] = Waits();
    json["members"] = Members();
    return json;
  }

 private:
  static std::string Text(const absl::Status& status) {
    return std::string(base::StdView(status.message()));
  }

  Json Self() const {
    Json checks = Json::array();
    for (const http::HealthCheck& check : sources_.checks) {
      Json row = {{"name", check.name}, {"ok", check.status.ok()}, {"tolerated", check.tolerated}};
      if (!check.status.ok()) row["why"] = Text(check.status);
      checks.push_back(std::move(row));
    }
    return {{"id", NodeOrNull(sources_.node.id().value())},
            {"name", sources_.node_name},
            {"ready", http::Readiness(sources_.checks).ok()},
            {"checks", std::move(checks)}};
  }

  // Whether a node answers only the controller knows.
  Json Nodes() const {
    Json rows = Json::array();
    for (const v1::Node& node : cluster_.nodes()) {
      rows.push_back({{"id", node.id()},
                      {"name", node.name()},
                      {"address", node.address()},
                      {"rack", node.rack()},
                      {"version", node.version()},
                      {"state", NameOf(node.state())},
                      {"reachable", sources_.report.ok() ? Json(node.reachable()) : Json()},
                      {"gossip", node.gossip()}});
    }
    return rows;
  }

  Json Waits() const {
    Json rows = Json::array();
    if (!sources_.report.ok()) return rows;
    for (const cluster::Wait& wait : sources_.report->waits) {
      rows.push_back({{"about", wait.about}, {"why", wait.why}});
    }
    return rows;
  }

  Json Members() const {
    Json rows = Json::array();
    if (!sources_.members.ok()) return rows;
    for (const cluster::GossipMember& member : *sources_.members) {
      rows.push_back({{"name", member.name},
                      {"address", member.address},
                      {"status", gossip::ToString(member.status)},
                      {"kind", cluster::ToString(member.kind)}});
    }
    return rows;
  }

  // The rows of WriteCluster come topic by topic, sorted by name.
  void AddTopics(Json& json) const {
    Json topics = Json::array();
    size_t topics_left_out = 0;
    size_t partitions_left_out = 0;
    size_t partitions_shown = 0;
    for (int i = 0; i < cluster_.partitions_size();) {
      const std::string& name = cluster_.partitions(i).topic();
      int end = i;
      while (end < cluster_.partitions_size() && cluster_.partitions(end).topic() == name) ++end;
      const cluster::Topic* topic = view_->metadata.FindTopic(name);
      const auto count = static_cast<size_t>(end - i);
      const bool detailed =
          !sources_.topic.empty() || partitions_shown + count <= kMaxPartitionsShown;
      if (topics.size() == kMaxTopicsShown) {
        ++topics_left_out;
      } else {
        topics.push_back(OneTopic(*topic, i, end, detailed));
        partitions_shown += detailed ? count : 0;
        partitions_left_out += detailed ? 0 : count;
      }
      i = end;
    }
    json["topics"] = std::move(topics);
    json["left_out"] = {{"topics", topics_left_out}, {"partitions", partitions_left_out}};
  }

  Json OneTopic(const cluster::Topic& topic, int begin, int end, bool detailed) const {
    Json partitions = Json::array();
    size_t leaderless = 0;
    size_t under_replicated = 0;
    for (int i = begin; i < end; ++i) {
      Json row = OnePartition(topic, cluster_.partitions(i));
      leaderless += row["leader"].is_null() ? 1 : 0;
      under_replicated += row["under_replicated"] == true ? 1 : 0;
      if (detailed) partitions.push_back(std::move(row));
    }
    return {{"name", topic.name},
            {"partition_count", topic.partitions.size()},
            {"replication_factor", view_->metadata.ReplicationFactor(topic)},
            {"leaderless", leaderless},
            {"under_replicated", sources_.report.ok() ? Json(under_replicated) : Json()},
            {"partitions", detailed ? std::move(partitions) : Json()}};
  }

  // Where the controller has not heard of a leader, or is not there: whom this node knows, unless
  // that one is gone. 0: nobody.
  int32_t LeaderAsKnownHere(GroupId group) const {
    const NodeId leader = sources_.node.LeaderOf(group);
    if (!sources_.report.ok()) return leader.value();
    const std::vector<NodeId>& reachable = sources_.report->reachable;
    const bool there = std::find(reachable.begin(), reachable.end(), leader) != reachable.end();
    return there ? leader.value() : 0;
  }

  Json OnePartition(const cluster::Topic& topic, const v1::PartitionState& state) const {
    const auto index = static_cast<size_t>(state.partition());
    const bool reported = sources_.report.ok();
    int32_t leader = state.leader();
    if (leader == 0) leader = LeaderAsKnownHere(topic.group(index));
    Json row = {{"partition", state.partition()},
                {"leader", NodeOrNull(leader)},
                {"replicas", state.replicas()},
                {"under_replicated", reported ? Json(state.under_replicated()) : Json()},
                {"members", MembersOf(state.members())},
                {"log_start", nullptr},
                {"high_watermark", nullptr}};
    const auto& replicas = state.replicas();
    const bool here =
        std::find(replicas.begin(), replicas.end(), sources_.node.id().value()) != replicas.end();
    if (!here) return row;
    const auto partition = sources_.node.FindPartition(topic.name, PartitionId(state.partition()));
    if (!partition.ok()) return row;  // deleted meanwhile
    row["log_start"] = (*partition)->log_start().value();
    row["high_watermark"] = (*partition)->high_watermark().value();
    return row;
  }

  const StatusSources& sources_;
  const std::shared_ptr<const cluster::MetadataView> view_;
  v1::DescribeClusterResponse cluster_;
};

}  // namespace

std::string StatusJson(const StatusSources& sources) {
  // Names and tags of foreign members may be any bytes.
  return StatusWriter(sources).Write().dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace cairn::server
