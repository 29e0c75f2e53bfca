// Metadata as a snapshot: one JSON object.
#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "cluster/codec_parts.h"
#include "cluster/json_fields.h"
#include "cluster/metadata.h"
#include "cluster/validate.h"

namespace cairn::cluster {
namespace {

Json NodeJson(const NodeInfo& node) {
  Json json = {{"id", node.id.value()}, {"uuid", node.uuid.ToString()}};
  WriteDescription(node.description, json);
  json["state"] = ToString(node.state);
  json["registered_ms"] = node.registered_ms;
  json["state_since_ms"] = node.state_since_ms;
  return json;
}

Json TopicJson(const Topic& topic) {
  Json partitions = Json::array();
  for (const PartitionInfo& partition : topic.partitions) {
    partitions.push_back({{"replicas", ToJson(partition.replicas)},
                          {"initial", ToJson(partition.initial)},
                          {"founders", ToJson(partition.founders)}});
  }
  return {{"number", topic.number.value()},     {"name", topic.name},
          {"id", topic.id.ToString()},          {"replication_factor", topic.replication_factor},
          {"settings", ToJson(topic.settings)}, {"created_ms", topic.created_ms},
          {"partitions", std::move(partitions)}};
}

Json PolicyJson(const AccessPolicy& policy) {
  return {{"version", policy.version},
          {"model", policy.model},
          {"policy", policy.policy},
          {"set_ms", policy.set_ms}};
}

AccessPolicy ReadPolicy(FieldReader reader) {
  AccessPolicy policy;
  policy.version = static_cast<uint64_t>(reader.Integer("version", 1, INT64_MAX));
  policy.model = reader.Text("model");
  policy.policy = reader.Text("policy");
  policy.set_ms = reader.Integer("set_ms", 0, kAnyTimeMs);
  reader.Finish();
  return policy;
}

NodeInfo ReadNode(FieldReader reader) {
  NodeInfo node;
  node.id = reader.Node("id");
  node.uuid = reader.Id("uuid");
  node.description = ReadDescription(reader);
  node.state = ReadNodeState(reader, "state");
  node.registered_ms = reader.Integer("registered_ms", 0, kAnyTimeMs);
  node.state_since_ms = reader.Integer("state_since_ms", 0, kAnyTimeMs);
  reader.Finish();
  return node;
}

PartitionInfo ReadPartition(FieldReader reader) {
  PartitionInfo partition;
  partition.replicas = reader.Nodes("replicas");
  partition.initial = reader.Nodes("initial");
  partition.founders = reader.Nodes("founders");
  if (partition.initial.empty()) reader.Fail("initial", "is empty");
  for (const NodeId node : partition.founders) {
    if (std::find(partition.initial.begin(), partition.initial.end(), node) ==
        partition.initial.end()) {
      reader.Fail("founders", base::StrCat("names node ", node.value(), ", no initial voter"));
    }
  }
  reader.Finish();
  return partition;
}

Topic ReadTopic(const std::string& path, const Json& json, absl::Status& status) {
  FieldReader reader(json, path, status);
  Topic topic;
  topic.number = TopicNumber(
      static_cast<uint64_t>(reader.Integer("number", 1, static_cast<int64_t>(kMaxTopicNumber))));
  topic.name = reader.Text("name");
  topic.id = reader.Id("id");
  topic.replication_factor =
      static_cast<int32_t>(reader.Integer("replication_factor", 0, kMaxReplicationFactor));
  topic.settings = ReadTopicSettings(reader.Object("settings"));
  topic.created_ms = reader.Integer("created_ms", 0, kAnyTimeMs);
  for (const auto& [element, where] : reader.Array("partitions", broker::kMaxPartitionsPerTopic)) {
    topic.partitions.push_back(ReadPartition(FieldReader(*element, where, status)));
  }
  if (topic.partitions.empty()) reader.Fail("partitions", "is empty");
  reader.Finish();
  return topic;
}

// What no reader of a single field sees.
absl::Status CheckNode(const Metadata& metadata, const NodeInfo& node) {
  CAIRN_RETURN_IF_ERROR(ValidateDescription(node.description));
  if (metadata.nodes.contains(node.id)) return absl::InvalidArgumentError("id comes twice");
  if (metadata.FindNodeByUuid(node.uuid) != nullptr) {
    return absl::InvalidArgumentError("uuid comes twice");
  }
  if (node.holds_name() && metadata.FindNodeByName(node.description.name) != nullptr) {
    return absl::InvalidArgumentError("name comes twice");
  }
  if (node.id >= metadata.next_node) return absl::InvalidArgumentError("id is not given out yet");
  return absl::OkStatus();
}

absl::Status CheckTopic(const Metadata& metadata, const Topic& topic) {
  CAIRN_RETURN_IF_ERROR(broker::ValidateTopicName(topic.name));
  CAIRN_RETURN_IF_ERROR(broker::ValidateTopicSettings(topic.settings));
  if (metadata.topics.contains(topic.number)) return absl::InvalidArgumentError("comes twice");
  if (metadata.topic_names.contains(topic.name)) {
    return absl::InvalidArgumentError("name comes twice");
  }
  if (topic.number >= metadata.next_topic) {
    return absl::InvalidArgumentError("number is not given out yet");
  }
  for (const PartitionInfo& partition : topic.partitions) {
    CAIRN_RETURN_IF_ERROR(ValidateReplicas(metadata, partition.replicas));
  }
  return absl::OkStatus();
}

absl::Status At(const std::string& path, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::InvalidArgumentError(base::StrCat(path, ": ", base::StdView(status.message())));
}

absl::StatusOr<Metadata> Read(std::string_view text) {
  CAIRN_ASSIGN_OR_RETURN(const Json json, ParseObject(text, "the metadata"));
  absl::Status status;
  FieldReader reader(json, "", status);
  // First of all: what follows is this format's.
  if (const int64_t format = reader.Integer("format", 1, INT32_MAX);
      status.ok() && format != kMetadataFormat) {
    return absl::UnimplementedError(base::StrCat("the metadata has format ", format,
                                                 "; this program knows format ", kMetadataFormat));
  }
  Metadata metadata;
  metadata.cluster_id = reader.Id("cluster_id");
  metadata.settings = ReadClusterSettings(reader.Object("settings"));
  if (status.ok()) status = At("settings", ValidateClusterSettings(metadata.settings));
  metadata.next_node = reader.Node("next_node");
  metadata.next_topic = TopicNumber(static_cast<uint64_t>(
      reader.Integer("next_topic", 1, static_cast<int64_t>(kMaxTopicNumber))));
  metadata.next_producer_id = reader.Integer("next_producer_id", 0, INT64_MAX);
  if (reader.Has("access_policy")) {
    metadata.access_policy = ReadPolicy(reader.Object("access_policy"));
    if (status.ok()) status = At("access_policy", ValidateAccessPolicy(metadata.access_policy));
  }
  for (const auto& [element, path] : reader.Array("nodes", kMaxNodesEver)) {
    NodeInfo node = ReadNode(FieldReader(*element, path, status));
    if (status.ok()) status = At(path, CheckNode(metadata, node));
    CAIRN_RETURN_IF_ERROR(status);
    metadata.nodes[node.id] = std::move(node);
  }
  for (const auto& [element, path] : reader.Array("topics", kMaxPartitionsPerCluster)) {
    Topic topic = ReadTopic(path, *element, status);
    if (status.ok()) status = At(path, CheckTopic(metadata, topic));
    CAIRN_RETURN_IF_ERROR(status);
    metadata.topic_names[topic.name] = topic.number;
    metadata.topics[topic.number] = std::move(topic);
  }
  reader.Finish();
  CAIRN_RETURN_IF_ERROR(status);
  return metadata;
}

}  // namespace

std::string Metadata::Encode() const {
  Json json = {{"format", kMetadataFormat},        {"cluster_id", cluster_id.ToString()},
               {"settings", ToJson(settings)},     {"next_node", next_node.value()},
               {"next_topic", next_topic.value()}, {"next_producer_id", next_producer_id}};
  if (access_policy.version != 0) json["access_policy"] = PolicyJson(access_policy);
  Json& node_list = json["nodes"] = Json::array();
  for (const auto& [id, node] : nodes) node_list.push_back(NodeJson(node));
  Json& topic_list = json["topics"] = Json::array();
  for (const auto& [number, topic] : topics) topic_list.push_back(TopicJson(topic));
  return ToText(json);
}

absl::StatusOr<Metadata> Metadata::Decode(std::string_view text) {
  auto metadata = Read(text);
  if (absl::IsInvalidArgument(metadata.status())) {
    // A snapshot is stored with a checksum by a program that wrote what it had checked.
    return absl::DataLossError(
        base::StrCat("damaged metadata: ", base::StdView(metadata.status().message())));
  }
  return metadata;
}

}  // namespace cairn::cluster
