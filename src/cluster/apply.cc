// What each command does. Every function checks all of its preconditions before it changes
// anything.
#include <algorithm>
#include <utility>

#include "base/error_info.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "cluster/command.h"
#include "cluster/validate.h"

namespace cairn::cluster {
namespace {

using Result = absl::StatusOr<CommandResult>;

// ---- errors that several commands give ----

absl::Status UnknownTopic(std::string_view name) {
  return base::MakeError(
      absl::StatusCode::kNotFound,
      base::StrCat("there is no topic \"", name, "\"; create it with: cairn topic create NAME"),
      base::reason::kUnknownTopic, {{"topic", std::string(name)}});
}

absl::Status UnknownNode(NodeId node) {
  return base::MakeError(absl::StatusCode::kNotFound,
                         base::StrCat("there is no node ", node.value()),
                         base::reason::kUnknownNode, {{"node_id", base::StrCat(node.value())}});
}

absl::Status NodeRemoved(const NodeInfo& node) {
  return base::MakeError(
      absl::StatusCode::kFailedPrecondition,
      base::StrCat("node ", node.id.value(), " (", node.description.name, ", ",
                   node.uuid.ToString(),
                   ") was removed from the cluster; it can only join as a new node, with an "
                   "empty data directory"),
      base::reason::kNodeRemoved, {{"node_id", base::StrCat(node.id.value())}});
}

absl::Status NameTaken(const NodeInfo& holder, const base::Uuid& uuid) {
  return base::MakeError(
      absl::StatusCode::kAlreadyExists,
      base::StrCat("the name \"", holder.description.name, "\" belongs to node ", holder.id.value(),
                   " with uuid ", holder.uuid.ToString(), " (", ToString(holder.state),
                   "); this node has uuid ", uuid.ToString(), ": give it another --node-name"),
      base::reason::kNodeNameTaken,
      {{"name", holder.description.name},
       {"node_id", base::StrCat(holder.id.value())},
       {"holder_uuid", holder.uuid.ToString()},
       {"uuid", uuid.ToString()}});
}

absl::Status NodeInUse(const NodeInfo& node, std::string_view why) {
  return base::MakeError(absl::StatusCode::kFailedPrecondition,
                         base::StrCat("node ", node.id.value(), " (", node.description.name,
                                      ") cannot be removed: ", why),
                         base::reason::kNodeInUse, {{"node_id", base::StrCat(node.id.value())}});
}

absl::Status CheckTime(int64_t time_ms) {
  if (time_ms >= 0) return absl::OkStatus();
  return absl::InvalidArgumentError(base::StrCat("time_ms is ", time_ms));
}

// The node, if it is one that can change.
absl::StatusOr<NodeInfo*> FindMember(Metadata& metadata, NodeId id) {
  const auto it = metadata.nodes.find(id);
  if (it == metadata.nodes.end()) return UnknownNode(id);
  if (!it->second.is_member()) return NodeRemoved(it->second);
  return &it->second;
}

// Errors: ALREADY_EXISTS when another live node than `self` has the name.
absl::Status CheckName(const Metadata& metadata, std::string_view name, NodeId self,
                       const base::Uuid& uuid) {
  const NodeInfo* holder = metadata.FindNodeByName(name);
  if (holder == nullptr || holder->id == self) return absl::OkStatus();
  return NameTaken(*holder, uuid);
}

NodeId AddNode(Metadata& metadata, const base::Uuid& uuid, const NodeDescription& description,
               int64_t time_ms) {
  const NodeId id = metadata.next_node;
  ++metadata.next_node;
  metadata.nodes[id] = NodeInfo{.id = id,
                                .uuid = uuid,
                                .description = description,
                                .state = NodeState::kActive,
                                .registered_ms = time_ms,
                                .state_since_ms = time_ms};
  return id;
}

// ---- the commands ----

Result ApplyTo(Metadata& metadata, const InitCluster& c) {
  if (!metadata.cluster_id.is_nil()) {
    const NodeInfo* first = metadata.FindNode(NodeId(1));
    const bool again = metadata.cluster_id == c.cluster_id && first->uuid == c.node_uuid;
    if (again) return CommandResult{.node = first->id};
    return base::MakeError(
        absl::StatusCode::kAlreadyExists,
        base::StrCat("this is cluster ", metadata.cluster_id.ToString(),
                     " already; it cannot become ", c.cluster_id.ToString()),
        base::reason::kClusterExists,
        {{"cluster_id", metadata.cluster_id.ToString()}, {"offered_id", c.cluster_id.ToString()}});
  }
  CAIRN_RETURN_IF_ERROR(CheckTime(c.time_ms));
  CAIRN_RETURN_IF_ERROR(ValidateDescription(c.node));
  CAIRN_RETURN_IF_ERROR(ValidateClusterSettings(c.settings));
  if (c.cluster_id.is_nil() || c.node_uuid.is_nil()) {
    return absl::InvalidArgumentError("a cluster and its first node need a uuid");
  }
  metadata.cluster_id = c.cluster_id;
  metadata.settings = c.settings;
  return CommandResult{.node = AddNode(metadata, c.node_uuid, c.node, c.time_ms)};
}

Result ApplyTo(Metadata& metadata, const RegisterNode& c) {
  if (const NodeInfo* known = metadata.FindNodeByUuid(c.uuid); known != nullptr) {
    if (!known->is_member()) return NodeRemoved(*known);
    return CommandResult{.node = known->id};
  }
  CAIRN_RETURN_IF_ERROR(CheckTime(c.time_ms));
  CAIRN_RETURN_IF_ERROR(ValidateDescription(c.node));
  if (c.uuid.is_nil()) return absl::InvalidArgumentError("a node needs a uuid");
  const NodeInfo* holder = metadata.FindNodeByName(c.node.name);
  if (holder != nullptr && holder->id != c.replaces) return NameTaken(*holder, c.uuid);
  const size_t members = metadata.nodes.size() - metadata.node_count(NodeState::kRemoved);
  if (members >= kMaxNodes || metadata.nodes.size() >= kMaxNodesEver) {
    return absl::ResourceExhaustedError(base::StrCat("the cluster has ", members, " nodes and had ",
                                                     metadata.nodes.size(), "; the limits are ",
                                                     kMaxNodes, " and ", kMaxNodesEver));
  }
  if (holder != nullptr) {
    NodeInfo& replaced = metadata.nodes[holder->id];
    replaced.state = NodeState::kDead;
    replaced.state_since_ms = c.time_ms;
  }
  return CommandResult{.node = AddNode(metadata, c.uuid, c.node, c.time_ms)};
}

Result ApplyTo(Metadata& metadata, const UpdateNode& c) {
  CAIRN_ASSIGN_OR_RETURN(NodeInfo * node, FindMember(metadata, c.node));
  NodeDescription description = node->description;
  description.name = c.name.value_or(description.name);
  description.rpc_address = c.rpc_address.value_or(description.rpc_address);
  description.rack = c.rack.value_or(description.rack);
  description.version = c.version.value_or(description.version);
  description.gossip_address = c.gossip_address.value_or(description.gossip_address);
  CAIRN_RETURN_IF_ERROR(ValidateDescription(description));
  if (node->holds_name()) {
    CAIRN_RETURN_IF_ERROR(CheckName(metadata, description.name, node->id, node->uuid));
  }
  node->description = std::move(description);
  return CommandResult{};
}

Result ApplyTo(Metadata& metadata, const SetNodeState& c) {
  CAIRN_ASSIGN_OR_RETURN(NodeInfo * node, FindMember(metadata, c.node));
  CAIRN_RETURN_IF_ERROR(CheckTime(c.time_ms));
  if (c.state == NodeState::kRemoved) {
    return absl::InvalidArgumentError("a node is removed with remove_node");
  }
  if (node->state == c.state) return CommandResult{};
  if (c.state != NodeState::kDead) {
    CAIRN_RETURN_IF_ERROR(CheckName(metadata, node->description.name, node->id, node->uuid));
  }
  node->state = c.state;
  node->state_since_ms = c.time_ms;
  return CommandResult{};
}

Result ApplyTo(Metadata& metadata, const RemoveNode& c) {
  CAIRN_ASSIGN_OR_RETURN(NodeInfo * node, FindMember(metadata, c.node));
  CAIRN_RETURN_IF_ERROR(CheckTime(c.time_ms));
  if (node->state == NodeState::kActive) return NodeInUse(*node, "it is active; drain it first");
  if (const int64_t replicas = metadata.ReplicasOn(node->id); replicas > 0) {
    return NodeInUse(*node, base::StrCat(replicas, " partitions want a replica on it"));
  }
  node->state = NodeState::kRemoved;
  node->state_since_ms = c.time_ms;
  return CommandResult{};
}

Result ApplyTo(Metadata& metadata, const CreateTopic& c) {
  CAIRN_RETURN_IF_ERROR(CheckTime(c.time_ms));
  CAIRN_RETURN_IF_ERROR(broker::ValidateTopicName(c.name));
  if (c.partitions.empty() || c.partitions.size() > broker::kMaxPartitionsPerTopic) {
    return absl::InvalidArgumentError(base::StrCat("a topic has 1 to ",
                                                   broker::kMaxPartitionsPerTopic,
                                                   " partitions, not ", c.partitions.size()));
  }
  CAIRN_RETURN_IF_ERROR(ValidateFactor(metadata, c.replication_factor));
  CAIRN_RETURN_IF_ERROR(broker::ValidateTopicSettings(c.settings));
  if (metadata.FindTopic(c.name) != nullptr) {
    return base::MakeError(absl::StatusCode::kAlreadyExists,
                           base::StrCat("topic \"", c.name, "\" exists already"),
                           base::reason::kTopicExists, {{"topic", c.name}});
  }
  if (metadata.partition_count() + static_cast<int64_t>(c.partitions.size()) >
      kMaxPartitionsPerCluster) {
    return absl::ResourceExhaustedError(base::StrCat("the cluster has ", metadata.partition_count(),
                                                     " partitions; the limit is ",
                                                     kMaxPartitionsPerCluster));
  }
  if (metadata.next_topic >= TopicNumber(kMaxTopicNumber)) {
    return absl::ResourceExhaustedError("the topic numbers are used up");
  }
  Topic topic;
  topic.number = metadata.next_topic;
  topic.name = c.name;
  topic.id = c.id;
  topic.replication_factor = c.replication_factor;
  topic.settings = c.settings;
  topic.created_ms = c.time_ms;
  for (const auto& replicas : c.partitions) {
    CAIRN_RETURN_IF_ERROR(ValidateReplicas(metadata, replicas));
    topic.partitions.push_back({.replicas = replicas, .initial = replicas, .founders = replicas});
  }
  ++metadata.next_topic;
  const TopicNumber number = topic.number;
  metadata.topic_names[topic.name] = number;
  metadata.topics[number] = std::move(topic);
  return CommandResult{.topic = number};
}

Result ApplyTo(Metadata& metadata, const AlterTopic& c) {
  const Topic* old = metadata.FindTopic(c.name);
  if (old == nullptr) return UnknownTopic(c.name);
  const broker::TopicSettings settings = broker::Apply(old->settings, c.settings);
  CAIRN_RETURN_IF_ERROR(broker::ValidateTopicSettings(settings));
  if (c.replication_factor) CAIRN_RETURN_IF_ERROR(ValidateFactor(metadata, *c.replication_factor));
  Topic& topic = metadata.topics[old->number];
  topic.settings = settings;
  topic.replication_factor = c.replication_factor.value_or(topic.replication_factor);
  return CommandResult{.topic = topic.number};
}

Result ApplyTo(Metadata& metadata, const DeleteTopic& c) {
  const Topic* topic = metadata.FindTopic(c.name);
  if (topic == nullptr) return UnknownTopic(c.name);
  const TopicNumber number = topic->number;
  metadata.topic_names.erase(topic->name);
  metadata.topics.erase(number);
  return CommandResult{.topic = number};
}

Result ApplyTo(Metadata& metadata, const SetReplicas& c) {
  const auto topic = metadata.topics.find(c.topic);
  if (topic == metadata.topics.end()) {
    return base::MakeError(absl::StatusCode::kNotFound,
                           base::StrCat("there is no topic number ", c.topic.value()),
                           base::reason::kUnknownTopic);
  }
  auto& partitions = topic->second.partitions;
  const auto count = static_cast<int32_t>(partitions.size());
  if (c.partition < PartitionId(0) || c.partition >= PartitionId(count)) {
    return base::MakeError(absl::StatusCode::kNotFound,
                           base::StrCat("topic \"", topic->second.name, "\" has partitions 0 to ",
                                        count - 1, ", not ", c.partition.value()),
                           base::reason::kUnknownPartition,
                           {{"partition_count", base::StrCat(count)}});
  }
  CAIRN_RETURN_IF_ERROR(ValidateReplicas(metadata, c.replicas));
  PartitionInfo& partition = partitions[static_cast<size_t>(c.partition.value())];
  partition.replicas = c.replicas;
  std::erase_if(partition.founders, [&](NodeId node) {
    return std::find(c.replicas.begin(), c.replicas.end(), node) == c.replicas.end();
  });
  return CommandResult{};
}

Result ApplyTo(Metadata& metadata, const AllocateProducerIds& c) {
  if (c.count < 1 || c.count > kMaxProducerIdBlock) {
    return absl::InvalidArgumentError(
        base::StrCat("a block has 1 to ", kMaxProducerIdBlock, " producer ids, not ", c.count));
  }
  if (metadata.next_producer_id > INT64_MAX - c.count) {
    return absl::ResourceExhaustedError("the producer ids are used up");
  }
  const int64_t first = metadata.next_producer_id;
  metadata.next_producer_id += c.count;
  return CommandResult{.producer_ids = first};
}

Result ApplyTo(Metadata& metadata, const ChangeSettings& c) {
  ClusterSettings settings = metadata.settings;
  settings.default_replication_factor =
      c.default_replication_factor.value_or(settings.default_replication_factor);
  settings.grace_ms = c.grace_ms.value_or(settings.grace_ms);
  settings.controller_voters = c.controller_voters.value_or(settings.controller_voters);
  CAIRN_RETURN_IF_ERROR(ValidateClusterSettings(settings));
  metadata.settings = settings;
  return CommandResult{};
}

Result ApplyTo(Metadata& metadata, const SetAccessPolicy& c) {
  CAIRN_RETURN_IF_ERROR(CheckTime(c.time_ms));
  const uint64_t version = metadata.access_policy.version;
  if (c.expected_version && *c.expected_version != version) {
    return absl::AbortedError(base::StrCat("the policy is version ", version, " by now, not ",
                                           *c.expected_version,
                                           "; look at it with: cairn acl get"));
  }
  AccessPolicy fresh{
      .version = version + 1, .model = c.model, .policy = c.policy, .set_ms = c.time_ms};
  CAIRN_RETURN_IF_ERROR(ValidateAccessPolicy(fresh));
  metadata.access_policy = std::move(fresh);
  return CommandResult{.policy_version = version + 1};
}

}  // namespace

absl::StatusOr<CommandResult> Apply(Metadata& metadata, const Command& command) {
  if (metadata.cluster_id.is_nil() && !std::holds_alternative<InitCluster>(command)) {
    return absl::FailedPreconditionError("there is no cluster yet");
  }
  return std::visit([&](const auto& c) { return ApplyTo(metadata, c); }, command);
}

}  // namespace cairn::cluster
