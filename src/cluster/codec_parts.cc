#include "cluster/codec_parts.h"

#include "base/strings.h"

namespace cairn::cluster {
namespace {

// Calls `visit` with the name and the value of each field of `Settings` (or of a change of them).
template <typename Settings, typename Visit>
void VisitFields(Settings& settings, Visit visit) {
  visit("retention_bytes", settings.retention_bytes);
  visit("retention_ms", settings.retention_ms);
  visit("segment_bytes", settings.segment_bytes);
  visit("segment_ms", settings.segment_ms);
  visit("max_record_bytes", settings.max_record_bytes);
  visit("max_batch_bytes", settings.max_batch_bytes);
}

}  // namespace

Json ToJson(const std::vector<NodeId>& nodes) {
  Json json = Json::array();
  for (const NodeId node : nodes) json.push_back(node.value());
  return json;
}

Json ToJson(const ClusterSettings& settings) {
  return {{"default_replication_factor", settings.default_replication_factor},
          {"grace_ms", settings.grace_ms},
          {"controller_voters", settings.controller_voters}};
}

Json ToJson(const broker::TopicSettings& settings) {
  Json json = Json::object();
  VisitFields(settings, [&](const char* key, int64_t value) { json[key] = value; });
  return json;
}

Json ToJson(const broker::TopicSettingsChange& change) {
  Json json = Json::object();
  VisitFields(change, [&](const char* key, const std::optional<int64_t>& value) {
    if (value.has_value()) json[key] = *value;
  });
  return json;
}

ClusterSettings ReadClusterSettings(FieldReader reader) {
  ClusterSettings settings;
  settings.default_replication_factor =
      static_cast<int32_t>(reader.Integer("default_replication_factor", INT32_MIN, INT32_MAX));
  settings.grace_ms = reader.Integer("grace_ms", INT64_MIN, INT64_MAX);
  settings.controller_voters =
      static_cast<int32_t>(reader.Integer("controller_voters", INT32_MIN, INT32_MAX));
  reader.Finish();
  return settings;
}

broker::TopicSettings ReadTopicSettings(FieldReader reader) {
  broker::TopicSettings settings;
  VisitFields(settings, [&](const char* key, int64_t& value) {
    value = reader.Integer(key, INT64_MIN, INT64_MAX);
  });
  reader.Finish();
  return settings;
}

broker::TopicSettingsChange ReadTopicSettingsChange(FieldReader reader) {
  broker::TopicSettingsChange change;
  VisitFields(change, [&](const char* key, std::optional<int64_t>& value) {
    if (reader.Has(key)) value = reader.Integer(key, INT64_MIN, INT64_MAX);
  });
  reader.Finish();
  return change;
}

void WriteDescription(const NodeDescription& description, Json& json) {
  json["name"] = description.name;
  json["rpc_address"] = description.rpc_address;
  json["rack"] = description.rack;
  json["version"] = description.version;
  if (!description.gossip_address.empty()) json["gossip_address"] = description.gossip_address;
}

NodeDescription ReadDescription(FieldReader& reader) {
  NodeDescription description;
  description.name = reader.Text("name");
  description.rpc_address = reader.Text("rpc_address");
  description.rack = reader.Text("rack");
  description.version = reader.Text("version");
  if (reader.Has("gossip_address")) description.gossip_address = reader.Text("gossip_address");
  return description;
}

NodeState ReadNodeState(FieldReader& reader, const char* key) {
  const std::string text = reader.Text(key);
  for (const NodeState state :
       {NodeState::kActive, NodeState::kDraining, NodeState::kDead, NodeState::kRemoved}) {
    if (text == ToString(state)) return state;
  }
  reader.FailUnknown(key, text);
  return NodeState::kActive;
}

}  // namespace cairn::cluster
