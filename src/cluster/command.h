// The commands of the controller's state machine, and what they do.
//
// The controller (the leader of group 0) proposes them, one per record; every node applies them in
// the order of the log. Whether and how a command is applied depends on the metadata and the
// command alone: no clock, no randomness, no view of who is alive. What needs those (placement,
// uuids, time) is decided by the proposer and stands in the command.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "base/types.h"
#include "base/uuid.h"
#include "broker/topic.h"
#include "cluster/metadata.h"

namespace cairn::cluster {

// First command of every cluster. The first node becomes node 1.
struct InitCluster {
  base::Uuid cluster_id;
  base::Uuid node_uuid;
  NodeDescription node;
  ClusterSettings settings;
  int64_t time_ms = 0;
  friend bool operator==(const InitCluster&, const InitCluster&) = default;
};

// A data directory asks for its number. Known uuid: its number again, and nothing changes.
// Errors: ALREADY_EXISTS with NODE_NAME_TAKEN; FAILED_PRECONDITION with NODE_REMOVED.
struct RegisterNode {
  base::Uuid uuid;
  NodeDescription node;
  // The proposer knows that this node, which holds the name, does not answer: it is declared dead
  // at once and gives the name up. This is how a wiped node gets in before the grace time is over.
  NodeId replaces;  // 0: none
  int64_t time_ms = 0;
  friend bool operator==(const RegisterNode&, const RegisterNode&) = default;
};

// Fields that are set replace what is known of the node.
struct UpdateNode {
  NodeId node;
  std::optional<std::string> name;
  std::optional<std::string> rpc_address;
  std::optional<std::string> rack;
  std::optional<std::string> version;
  std::optional<std::string> gossip_address = {};
  friend bool operator==(const UpdateNode&, const UpdateNode&) = default;
};

// To active, draining or dead. Errors: FAILED_PRECONDITION with NODE_REMOVED; ALREADY_EXISTS with
// NODE_NAME_TAKEN when a dead node comes back and its name has a new holder.
struct SetNodeState {
  NodeId node;
  NodeState state = NodeState::kActive;
  int64_t time_ms = 0;
  friend bool operator==(const SetNodeState&, const SetNodeState&) = default;
};

// For ever. Errors: FAILED_PRECONDITION with NODE_IN_USE when it is active, or a partition wants a
// replica on it.
struct RemoveNode {
  NodeId node;
  int64_t time_ms = 0;
  friend bool operator==(const RemoveNode&, const RemoveNode&) = default;
};

struct CreateTopic {
  std::string name;
  base::Uuid id;
  int32_t replication_factor = 0;  // 0: automatic
  broker::TopicSettings settings;
  std::vector<std::vector<NodeId>> partitions;  // the replicas of each; see placement.h
  int64_t time_ms = 0;
  friend bool operator==(const CreateTopic&, const CreateTopic&) = default;
};

struct AlterTopic {
  std::string name;
  broker::TopicSettingsChange settings;
  std::optional<int32_t> replication_factor;
  friend bool operator==(const AlterTopic&, const AlterTopic&) = default;
};

struct DeleteTopic {
  std::string name;
  friend bool operator==(const DeleteTopic&, const DeleteTopic&) = default;
};

// Where the replicas of a partition should be, preferred leader first.
struct SetReplicas {
  TopicNumber topic;
  PartitionId partition;
  std::vector<NodeId> replicas;
  friend bool operator==(const SetReplicas&, const SetReplicas&) = default;
};

// Takes `count` producer ids that nobody had before.
struct AllocateProducerIds {
  int64_t count = 1;
  friend bool operator==(const AllocateProducerIds&, const AllocateProducerIds&) = default;
};
// A block this large lasts a node for long and wastes nothing that matters of 2^63.
inline constexpr int64_t kMaxProducerIdBlock = 1'000'000;

struct ChangeSettings {
  std::optional<int32_t> default_replication_factor;
  std::optional<int64_t> grace_ms;
  std::optional<int32_t> controller_voters;
  friend bool operator==(const ChangeSettings&, const ChangeSettings&) = default;
};

// Whoever proposes it has seen that the texts are a model and a policy of it; here they are texts.
// Errors: ABORTED when another version than the expected one is set.
struct SetAccessPolicy {
  std::string model;
  std::string policy;
  std::optional<uint64_t> expected_version;
  int64_t time_ms = 0;
  friend bool operator==(const SetAccessPolicy&, const SetAccessPolicy&) = default;
};

using Command = std::variant<InitCluster, RegisterNode, UpdateNode, SetNodeState, RemoveNode,
                             CreateTopic, AlterTopic, DeleteTopic, SetReplicas, AllocateProducerIds,
                             ChangeSettings, SetAccessPolicy>;

// "register_node": the word that names the kind of a command, in JSON and in logs.
std::string_view NameOf(const Command& command);

// As JSON text in one line, and back. Errors of Decode: UNIMPLEMENTED with the name of a command,
// field or value that this program does not know: it must stop applying rather than skip, or it
// would diverge. INVALID_ARGUMENT naming the wrong field.
std::string Encode(const Command& command);
absl::StatusOr<Command> DecodeCommand(std::string_view text);

// What the proposer is told. Fields that do not concern the command are 0.
struct CommandResult {
  NodeId node;                  // InitCluster, RegisterNode
  TopicNumber topic;            // CreateTopic, AlterTopic, DeleteTopic
  int64_t producer_ids = 0;     // AllocateProducerIds: the first of them
  uint64_t policy_version = 0;  // SetAccessPolicy

  friend bool operator==(const CommandResult&, const CommandResult&) = default;
};

// Applies `command`, or leaves the metadata as it is and says why. Total and deterministic: the
// same on every node. An error is an answer to the proposer, not a fault of the state machine.
// Errors are those of broker::Broker where it has the same function, and those named above.
absl::StatusOr<CommandResult> Apply(Metadata& metadata, const Command& command);

}  // namespace cairn::cluster
