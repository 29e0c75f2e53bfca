// Commands as JSON: {"command": "register_node", …}.
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "cluster/codec_parts.h"
#include "cluster/command.h"
#include "cluster/json_fields.h"

namespace cairn::cluster {
namespace {

// ---- each command: its word, its fields out, its fields in ----

template <typename T>
struct Codec;

template <>
struct Codec<InitCluster> {
  static constexpr std::string_view kName = "init_cluster";
  static void Write(const InitCluster& c, Json& json) {
    json["cluster_id"] = c.cluster_id.ToString();
    json["node_uuid"] = c.node_uuid.ToString();
    WriteDescription(c.node, json);
    json["settings"] = ToJson(c.settings);
    json["time_ms"] = c.time_ms;
  }
  static void Read(FieldReader& reader, InitCluster& c) {
    c.cluster_id = reader.Id("cluster_id");
    c.node_uuid = reader.Id("node_uuid");
    c.node = ReadDescription(reader);
    c.settings = ReadClusterSettings(reader.Object("settings"));
    c.time_ms = reader.Integer("time_ms", 0, kAnyTimeMs);
  }
};

template <>
struct Codec<RegisterNode> {
  static constexpr std::string_view kName = "register_node";
  static void Write(const RegisterNode& c, Json& json) {
    json["uuid"] = c.uuid.ToString();
    WriteDescription(c.node, json);
    if (c.replaces != NodeId()) json["replaces"] = c.replaces.value();
    json["time_ms"] = c.time_ms;
  }
  static void Read(FieldReader& reader, RegisterNode& c) {
    c.uuid = reader.Id("uuid");
    c.node = ReadDescription(reader);
    if (reader.Has("replaces")) c.replaces = reader.Node("replaces");
    c.time_ms = reader.Integer("time_ms", 0, kAnyTimeMs);
  }
};

template <>
struct Codec<UpdateNode> {
  static constexpr std::string_view kName = "update_node";
  static void Write(const UpdateNode& c, Json& json) {
    json["node"] = c.node.value();
    if (c.name) json["name"] = *c.name;
    if (c.rpc_address) json["rpc_address"] = *c.rpc_address;
    if (c.rack) json["rack"] = *c.rack;
    if (c.version) json["version"] = *c.version;
    if (c.gossip_address) json["gossip_address"] = *c.gossip_address;
  }
  static void Read(FieldReader& reader, UpdateNode& c) {
    c.node = reader.Node("node");
    if (reader.Has("name")) c.name = reader.Text("name");
    if (reader.Has("rpc_address")) c.rpc_address = reader.Text("rpc_address");
    if (reader.Has("rack")) c.rack = reader.Text("rack");
    if (reader.Has("version")) c.version = reader.Text("version");
    if (reader.Has("gossip_address")) c.gossip_address = reader.Text("gossip_address");
  }
};

template <>
struct Codec<SetNodeState> {
  static constexpr std::string_view kName = "set_node_state";
  static void Write(const SetNodeState& c, Json& json) {
    json["node"] = c.node.value();
    json["state"] = ToString(c.state);
    json["time_ms"] = c.time_ms;
  }
  static void Read(FieldReader& reader, SetNodeState& c) {
    c.node = reader.Node("node");
    c.state = ReadNodeState(reader, "state");
    c.time_ms = reader.Integer("time_ms", 0, kAnyTimeMs);
  }
};

template <>
struct Codec<RemoveNode> {
  static constexpr std::string_view kName = "remove_node";
  static void Write(const RemoveNode& c, Json& json) {
    json["node"] = c.node.value();
    json["time_ms"] = c.time_ms;
  }
  static void Read(FieldReader& reader, RemoveNode& c) {
    c.node = reader.Node("node");
    c.time_ms = reader.Integer("time_ms", 0, kAnyTimeMs);
  }
};

template <>
struct Codec<CreateTopic> {
  static constexpr std::string_view kName = "create_topic";
  static void Write(const CreateTopic& c, Json& json) {
    json["name"] = c.name;
    json["id"] = c.id.ToString();
    json["replication_factor"] = c.replication_factor;
    json["settings"] = ToJson(c.settings);
    Json& partitions = json["partitions"] = Json::array();
    for (const auto& replicas : c.partitions) {
      partitions.push_back({{"replicas", ToJson(replicas)}});
    }
    json["time_ms"] = c.time_ms;
  }
  static void Read(FieldReader& reader, CreateTopic& c) {
    c.name = reader.Text("name");
    c.id = reader.Id("id");
    c.replication_factor =
        static_cast<int32_t>(reader.Integer("replication_factor", INT32_MIN, INT32_MAX));
    c.settings = ReadTopicSettings(reader.Object("settings"));
    for (const auto& [element, path] : reader.Array("partitions", broker::kMaxPartitionsPerTopic)) {
      FieldReader partition = reader.Element(*element, path);
      c.partitions.push_back(partition.Nodes("replicas"));
      partition.Finish();
    }
    c.time_ms = reader.Integer("time_ms", 0, kAnyTimeMs);
  }
};

template <>
struct Codec<AlterTopic> {
  static constexpr std::string_view kName = "alter_topic";
  static void Write(const AlterTopic& c, Json& json) {
    json["name"] = c.name;
    json["settings"] = ToJson(c.settings);
    if (c.replication_factor) json["replication_factor"] = *c.replication_factor;
  }
  static void Read(FieldReader& reader, AlterTopic& c) {
    c.name = reader.Text("name");
    c.settings = ReadTopicSettingsChange(reader.Object("settings"));
    if (reader.Has("replication_factor")) {
      c.replication_factor =
          static_cast<int32_t>(reader.Integer("replication_factor", INT32_MIN, INT32_MAX));
    }
  }
};

template <>
struct Codec<DeleteTopic> {
  static constexpr std::string_view kName = "delete_topic";
  static void Write(const DeleteTopic& c, Json& json) { json["name"] = c.name; }
  static void Read(FieldReader& reader, DeleteTopic& c) { c.name = reader.Text("name"); }
};

template <>
struct Codec<SetReplicas> {
  static constexpr std::string_view kName = "set_replicas";
  static void Write(const SetReplicas& c, Json& json) {
    json["topic"] = c.topic.value();
    json["partition"] = c.partition.value();
    json["replicas"] = ToJson(c.replicas);
  }
  static void Read(FieldReader& reader, SetReplicas& c) {
    c.topic = TopicNumber(
        static_cast<uint64_t>(reader.Integer("topic", 1, static_cast<int64_t>(kMaxTopicNumber))));
    c.partition = PartitionId(
        static_cast<int32_t>(reader.Integer("partition", 0, broker::kMaxPartitionsPerTopic - 1)));
    c.replicas = reader.Nodes("replicas");
  }
};

template <>
struct Codec<AllocateProducerIds> {
  static constexpr std::string_view kName = "allocate_producer_ids";
  static void Write(const AllocateProducerIds& c, Json& json) { json["count"] = c.count; }
  static void Read(FieldReader& reader, AllocateProducerIds& c) {
    c.count = reader.Integer("count", INT64_MIN, INT64_MAX);
  }
};

template <>
struct Codec<ChangeSettings> {
  static constexpr std::string_view kName = "change_settings";
  static void Write(const ChangeSettings& c, Json& json) {
    if (c.default_replication_factor) {
      json["default_replication_factor"] = *c.default_replication_factor;
    }
    if (c.grace_ms) json["grace_ms"] = *c.grace_ms;
    if (c.controller_voters) json["controller_voters"] = *c.controller_voters;
  }
  static void Read(FieldReader& reader, ChangeSettings& c) {
    if (reader.Has("default_replication_factor")) {
      c.default_replication_factor =
          static_cast<int32_t>(reader.Integer("default_replication_factor", INT32_MIN, INT32_MAX));
    }
    if (reader.Has("grace_ms")) c.grace_ms = reader.Integer("grace_ms", INT64_MIN, INT64_MAX);
    if (reader.Has("controller_voters")) {
      c.controller_voters =
          static_cast<int32_t>(reader.Integer("controller_voters", INT32_MIN, INT32_MAX));
    }
  }
};

template <>
struct Codec<SetAccessPolicy> {
  static constexpr std::string_view kName = "set_access_policy";
  static void Write(const SetAccessPolicy& c, Json& json) {
    json["model"] = c.model;
    json["policy"] = c.policy;
    if (c.expected_version) json["expected_version"] = *c.expected_version;
    json["time_ms"] = c.time_ms;
  }
  static void Read(FieldReader& reader, SetAccessPolicy& c) {
    c.model = reader.Text("model");
    c.policy = reader.Text("policy");
    if (reader.Has("expected_version")) {
      c.expected_version = static_cast<uint64_t>(reader.Integer("expected_version", 0, INT64_MAX));
    }
    c.time_ms = reader.Integer("time_ms", 0, kAnyTimeMs);
  }
};

// ---- the variant ----

// Makes `command` the alternative with this word and reads its fields; false: there is none.
template <size_t kAlternative = 0>
bool ReadAlternative(std::string_view name, FieldReader& reader, Command& command) {
  if constexpr (kAlternative < std::variant_size_v<Command>) {
    using T = std::variant_alternative_t<kAlternative, Command>;
    if (name != Codec<T>::kName) return ReadAlternative<kAlternative + 1>(name, reader, command);
    Codec<T>::Read(reader, command.emplace<T>());
    return true;
  } else {
    return false;
  }
}

}  // namespace

std::string_view NameOf(const Command& command) {
  return std::visit([]<typename T>(const T&) { return Codec<T>::kName; }, command);
}

std::string Encode(const Command& command) {
  Json json = {{"command", NameOf(command)}};
  std::visit([&]<typename T>(const T& c) { Codec<T>::Write(c, json); }, command);
  return ToText(json);
}

absl::StatusOr<Command> DecodeCommand(std::string_view text) {
  CAIRN_ASSIGN_OR_RETURN(const Json json, ParseObject(text, "the command"));
  absl::Status status;
  FieldReader reader(json, "", status);
  const std::string name = reader.Text("command");
  CAIRN_RETURN_IF_ERROR(status);
  Command command;
  if (!ReadAlternative(name, reader, command)) reader.FailUnknown("command", name);
  reader.Finish();
  if (status.ok()) return command;
  // So that the message says which command it was.
  return absl::Status(status.code(),
                      base::AbslView(base::StrCat(name, ": ", base::StdView(status.message()))));
}

}  // namespace cairn::cluster
