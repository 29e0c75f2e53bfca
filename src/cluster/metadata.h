// Metadata: what the controller's Raft group agrees on. Every node holds all of it, because every
// node follows group 0 and applies the same commands (command.h) in the same order.
//
// A value: no I/O, clock or thread. Only Apply changes it; everything else reads. Equal metadata
// encodes to equal bytes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/types.h"
#include "base/uuid.h"
#include "broker/topic.h"
#include "cluster/group_id.h"

namespace cairn::cluster {

inline constexpr int kMetadataFormat = 1;

// Every node is a member of group 0, and a group has at most that many (consensus::kMaxMembers).
inline constexpr size_t kMaxNodes = 1024;
// Removed nodes are remembered, so that their data directories are refused; this bounds the memory.
inline constexpr size_t kMaxNodesEver = 16 * 1024;
// Every replica of a partition is sent every entry; more than 7 makes writes slow, not safer.
inline constexpr int32_t kMaxReplicationFactor = 7;
// What the metadata may grow to: about 100 bytes for each in every snapshot.
inline constexpr int64_t kMaxPartitionsPerCluster = 100'000;

enum class NodeState {
  kActive,    // holds replicas, gets new ones
  kDraining,  // an operator wants it empty; it is removed when it is
  kDead,      // silent for longer than the grace time; active again when it is heard
  kRemoved,   // never comes back; remembered so that it is refused
};
std::string_view ToString(NodeState state);

// What a node says about itself.
struct NodeDescription {
  std::string name;         // unique among the nodes that are not dead or removed
  std::string rpc_address;  // host:port for clients and peers
  std::string rack;         // empty: a rack of its own
  std::string version;      // of the program
  // ip:port where it gossips; empty when it does not, or is of a program that does not say.
  std::string gossip_address = {};

  friend bool operator==(const NodeDescription&, const NodeDescription&) = default;
};

struct NodeInfo {
  NodeId id;
  base::Uuid uuid;  // of its data directory: a wiped node is a new node
  NodeDescription description;
  NodeState state = NodeState::kActive;
  int64_t registered_ms = 0;
  int64_t state_since_ms = 0;

  bool is_member() const { return state != NodeState::kRemoved; }
  // Nobody else may register with its name. A dead node's name is free: a node that was wiped
  // comes back under it, as a new node.
  bool holds_name() const { return state == NodeState::kActive || state == NodeState::kDraining; }

  friend bool operator==(const NodeInfo&, const NodeInfo&) = default;
};

// What two nodes share that fail together. A node without a rack is a rack of its own.
std::string RackOf(const NodeInfo& node);

struct PartitionInfo {
  // Which nodes the leader of the group makes its voters, step by step. First: who should lead.
  std::vector<NodeId> replicas;
  // The configuration in the group's first entry. Never changes.
  std::vector<NodeId> initial;
  // The nodes that may write that first entry themselves: those of `initial` that have been in
  // `replicas` ever since. A node that left and comes back opens an empty log and waits for the
  // leader instead: in the old configuration it would vote for a second leader.
  std::vector<NodeId> founders;

  friend bool operator==(const PartitionInfo&, const PartitionInfo&) = default;
};

struct Topic {
  TopicNumber number;
  std::string name;
  base::Uuid id;
  int32_t replication_factor = 0;  // 0: automatic, see Metadata::ReplicationFactor
  broker::TopicSettings settings;
  int64_t created_ms = 0;
  std::vector<PartitionInfo> partitions;

  GroupId group(size_t partition) const {
    return GroupOf(number, PartitionId(static_cast<int32_t>(partition)));
  }

  friend bool operator==(const Topic&, const Topic&) = default;
};

struct ClusterSettings {
  // Of topics that name none: min(this, nodes), healed upwards as nodes come.
  int32_t default_replication_factor = 3;
  // A node that is silent for longer is dead, and its replicas are rebuilt elsewhere.
  int64_t grace_ms = 300'000;
  // Voters of group 0; odd. All other nodes are its standbys.
  int32_t controller_voters = 3;

  friend bool operator==(const ClusterSettings&, const ClusterSettings&) = default;
};

// Who may do what, where the nodes take it from the cluster: the texts of a Casbin model and
// policy.
struct AccessPolicy {
  uint64_t version = 0;  // how often it was set; 0: never
  std::string model;
  std::string policy;
  int64_t set_ms = 0;

  friend bool operator==(const AccessPolicy&, const AccessPolicy&) = default;
};

struct Metadata {
  base::Uuid cluster_id;  // nil: there is no cluster yet
  ClusterSettings settings;
  NodeId next_node{1};
  TopicNumber next_topic{1};
  int64_t next_producer_id = 0;
  AccessPolicy access_policy;
  std::map<NodeId, NodeInfo> nodes;
  std::map<TopicNumber, Topic> topics;
  std::map<std::string, TopicNumber, std::less<>> topic_names;  // of `topics`

  // nullptr when there is none. Pointers live until the metadata changes.
  const NodeInfo* FindNode(NodeId id) const;
  const NodeInfo* FindNodeByUuid(const base::Uuid& uuid) const;
  // The active or draining node of this name: at most one.
  const NodeInfo* FindNodeByName(std::string_view name) const;
  const Topic* FindTopic(std::string_view name) const;
  const Topic* FindTopic(TopicNumber number) const;
  // The partition whose group this is; nullptr also for group 0.
  const PartitionInfo* FindPartition(GroupId group) const;

  // How many replicas a partition of `topic` should have: what was asked for, or for 0 the default
  // as far as there are nodes. Dead nodes count, since they may come back and a smaller group would
  // survive no more; draining ones do not.
  int32_t ReplicationFactor(const Topic& topic) const;
  int64_t partition_count() const;
  size_t node_count(NodeState state) const;
  // How many partitions want a replica on this node.
  int64_t ReplicasOn(NodeId node) const;

  // "node 3 (name)", "partition orders/2", "group 0": how messages name them.
  std::string NodeText(NodeId node) const;
  std::string GroupText(GroupId group) const;

  // As a snapshot, and back. Errors of Decode: DATA_LOSS naming the wrong field;
  // UNIMPLEMENTED for a format or a field of a newer program.
  std::string Encode() const;
  static absl::StatusOr<Metadata> Decode(std::string_view text);

  friend bool operator==(const Metadata&, const Metadata&) = default;
};

// What the broker layer knows of a topic; replication_factor is the effective one.
broker::TopicInfo ToTopicInfo(const Metadata& metadata, const Topic& topic);

}  // namespace cairn::cluster
