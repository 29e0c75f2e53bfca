// Administration: topics and the cluster.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cairn/client.h"
#include "cairn/export.h"

namespace cairn {

// What is not set keeps the broker's default (CreateTopic) or the present value (AlterTopic).
struct TopicSettings {
  std::optional<int64_t> retention_bytes = {};  // per partition; -1 keeps all
  std::optional<int64_t> retention_ms = {};     // by record timestamp; -1 keeps all
  std::optional<int64_t> segment_bytes = {};    // size at which a new segment file is begun
  std::optional<int64_t> segment_ms = {};       // age at which a new segment file is begun
  std::optional<int64_t> max_record_bytes = {};
  std::optional<int64_t> max_batch_bytes = {};
};

struct PartitionInfo {
  int32_t partition = 0;
  uint64_t log_start = 0;              // first offset that can be read
  uint64_t high_watermark = 0;         // first offset that is not there yet
  std::string error = {};              // why the broker asked does not serve it; empty when it does
  int32_t leader = 0;                  // its node; 0: nobody, as far as the broker asked knows
  std::vector<int32_t> replicas = {};  // the nodes that should hold it; the first should lead
};

struct TopicInfo {
  std::string name = {};
  std::string id = {};  // UUID; a topic created again under the same name has another
  int32_t partition_count = 0;
  int32_t replication_factor = 0;
  TopicSettings settings = {};                 // all set
  int64_t created_ms = 0;                      // since the Unix epoch
  std::vector<PartitionInfo> partitions = {};  // DescribeTopic only
};

struct NewTopic {
  std::string name = {};
  int32_t partition_count = 0;     // 0 means the broker's default
  int32_t replication_factor = 0;  // 0 means the broker's default
  TopicSettings settings = {};
};

enum class NodeState { kActive, kDraining, kDead };

struct NodeInfo {
  int32_t id = 0;
  std::string name = {};
  std::string address = {};  // HOST:PORT
  std::string rack = {};
  std::string version = {};
  NodeState state = NodeState::kActive;
  bool reachable = false;  // answers the controller
  // "alive", "leaving", "left", "failed", "unknown": what the node that is asked hears in gossip;
  // "" of a server that does not say it.
  std::string gossip = {};
};

// A copy of a partition, as its leader sees it.
struct PartitionMember {
  int32_t node = 0;
  bool votes = false;  // else it catches up, and does not count for a majority
  bool reachable = false;
  bool damaged = false;                      // repairs its log
  std::optional<uint64_t> lag_entries = {};  // batches behind the leader, when that is known
};

struct PartitionStateInfo {
  std::string topic = {};
  int32_t partition = 0;
  int32_t leader = 0;                         // 0: nobody has reported lately that it leads
  std::vector<int32_t> replicas = {};         // where it should be; the first should lead
  std::vector<PartitionMember> members = {};  // where it is
  bool under_replicated = false;              // fewer vote and keep up than should
};

struct ClusterInfo {
  std::string id = {};
  int32_t controller = 0;  // the node that decides
  // Who decides with it: while a majority of the voters runs, the cluster can be changed.
  std::vector<PartitionMember> controller_members = {};
  std::vector<NodeInfo> nodes = {};
  std::vector<PartitionStateInfo> partitions = {};
};

// What the cluster has not brought about yet, and what that waits for.
struct WaitInfo {
  std::string about = {};  // "node 3 (name)", "partition orders/2"
  std::string why = {};
};

// Who gossips, as the node that was asked sees it.
struct MemberInfo {
  std::string name = {};
  std::string address = {};  // IP:PORT of its gossip
  std::string status = {};   // "alive", "leaving", "left", "failed"
  std::string kind = {};     // "broker", "joining", "other cluster", "foreign"
  std::map<std::string, std::string> tags = {};
};

enum class KeyOperation { kList, kInstall, kUse, kRemove };

// What the members answered to an operation on their keys.
struct KeysInfo {
  int32_t members = 0;  // that were asked
  int32_t answers = 0;
  int32_t errors = 0;
  std::map<std::string, std::string> messages = {};  // of those that refused, by member
  std::map<std::string, int32_t> keys = {};          // how many members have each, by base64
  std::map<std::string, int32_t> primary_keys = {};  // how many seal with each
};

// Who may do what, where nodes take it from the cluster.
struct AccessPolicyInfo {
  uint64_t version = 0;    // how often it was set; 0: the cluster has none
  std::string model = {};  // Casbin's, as text
  std::string policy = {};
  int64_t set_ms = 0;   // since the Unix epoch
  bool in_use = false;  // whether the node that answered takes its policy from the cluster
};

// Each call blocks up to the client's timeout_ms. Thread-safe.
// With several brokers, one that does not answer is passed over for the next; a call that was
// broken off may then have had its effect (a topic that was created EXISTS). Errors of all:
// UNAVAILABLE when no broker answers, DEADLINE_EXCEEDED; docs/errors.md has the rest.
class CAIRN_EXPORT Admin {
 public:
  explicit Admin(std::shared_ptr<Client> client);

  // On disk when it returns. Errors: ALREADY_EXISTS (TOPIC_EXISTS), INVALID_ARGUMENT.
  absl::StatusOr<TopicInfo> CreateTopic(const NewTopic& topic);
  // Sorted by name.
  absl::StatusOr<std::vector<TopicInfo>> ListTopics();
  // Errors: NOT_FOUND (UNKNOWN_TOPIC); also of the calls below.
  absl::StatusOr<TopicInfo> DescribeTopic(const std::string& name);
  // replication_factor 0: as many as the cluster's default allows; nullopt: as it is.
  absl::StatusOr<TopicInfo> AlterTopic(const std::string& name, const TopicSettings& change,
                                       std::optional<int32_t> replication_factor = {});
  absl::Status DeleteTopic(const std::string& name);

  // The cluster as its controller sees it. `topic`: only the partitions of this one; "" means all.
  // Errors: UNAVAILABLE (NOT_LEADER) when there is no controller; also of the calls below.
  absl::StatusOr<ClusterInfo> DescribeCluster(const std::string& topic = {});
  // What the controller waits for; empty when all is as it should be.
  absl::StatusOr<std::vector<WaitInfo>> ExplainCluster();
  // Makes `node`, which holds a replica, lead the partition; 0: whichever can. Returns who leads.
  // Errors: FAILED_PRECONDITION (NOT_A_REPLICA), UNAVAILABLE when nobody can take over.
  absl::StatusOr<int32_t> TransferLeadership(const std::string& topic, int32_t partition,
                                             int32_t node);
  // Begins to move everything away from a node; it is removed when it is empty. Errors: NOT_FOUND
  // (UNKNOWN_NODE); also of the calls below.
  absl::Status DrainNode(int32_t node);
  // Takes a drain back.
  absl::Status ResumeNode(int32_t node);
  // Removes a node that holds nothing, for ever. Errors: FAILED_PRECONDITION (NODE_IN_USE).
  absl::Status RemoveNode(int32_t node);

  absl::StatusOr<AccessPolicyInfo> GetAccessPolicy();
  // For all nodes at once. `expected_version`: only if that one is set now. The answer has no
  // texts. Errors: INVALID_ARGUMENT with the line that is wrong; FAILED_PRECONDITION when the
  // caller could not set another one afterwards; ABORTED when another version is set.
  absl::StatusOr<AccessPolicyInfo> SetAccessPolicy(const std::string& model,
                                                   const std::string& policy,
                                                   std::optional<uint64_t> expected_version = {});

  // ---- gossip, as the node that answers sees it ----

  absl::StatusOr<std::vector<MemberInfo>> ListMembers();
  // `key` in base64; "" to list. Errors: FAILED_PRECONDITION without encryption, INVALID_ARGUMENT.
  absl::StatusOr<KeysInfo> ChangeKeys(KeyOperation operation, const std::string& key = {});
  // A user event for all members. Errors: INVALID_ARGUMENT over 512 bytes.
  absl::Status SendEvent(const std::string& name, const std::string& payload = {});

  // ---- what a node says of itself; 0: the one that answers ----

  // Its metrics in the text format of Prometheus (0.0.4); with `names`, those whose names begin
  // with one of them. Errors: NOT_FOUND (UNKNOWN_NODE), UNAVAILABLE (NODE_UNREACHABLE: the node
  // that answers does not reach it; that is not tried again), RESOURCE_EXHAUSTED when they are too
  // many; also of the next.
  absl::StatusOr<std::string> GetMetrics(int32_t node, const std::vector<std::string>& names = {});
  // An object of JSON: build, process, machine, config without keys, health, log (its last lines).
  absl::StatusOr<std::string> GetDiagnostics(int32_t node);

 private:
  std::shared_ptr<Client> client_;  // shared with the producers and consumers of the program
};

}  // namespace cairn
