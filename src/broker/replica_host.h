// ReplicaHost: the partition replicas of one node, and the shards that run them.
//
// The cluster above says which replicas there are to be; the host opens, closes and removes them,
// brings them the messages of their groups, and applies retention.
//
// Threads: the table of replicas is behind a mutex; everything about a replica is in its shard.
// Opening and removing are blocking and run one at a time on the admin executor (the first shard's
// disk executor), where the caller posts them.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "base/mutex.h"
#include "broker/broker.h"
#include "broker/node_counters.h"
#include "broker/raft_timeouts.h"
#include "broker/replica_store.h"
#include "broker/shard_partition.h"
#include "consensus/group_commit.h"
#include "consensus/peer_link.h"
#include "consensus/raft_replica.h"
#include "consensus/stable_store.h"
#include "env/clock.h"
#include "env/executor.h"
#include "env/file_system.h"
#include "env/random.h"
#include "log/tail_cache.h"

namespace cairn::broker {

// A replica that is to be on this node. When it could not be opened, `partition` and `replica` are
// null and `status` says why.
struct HostedReplica {
  ReplicaSpec spec;
  env::Executor* loop = nullptr;
  absl::Status status;
  // When that is all that could be opened: it is damaged where the replica needs it to take part.
  // Shared with who repairs it.
  std::shared_ptr<log::Log> damaged_log;
  // Opened over damage: what the log said of producers may have gaps, so it is opened again when
  // the log is repaired.
  bool incomplete = false;
  std::shared_ptr<ShardPartition> partition;
  std::shared_ptr<consensus::RaftReplica> replica;

  // Whether its log is, also where that leaves the replica serving.
  bool damaged() const {
    return damaged_log != nullptr || (replica != nullptr && replica->log()->damaged());
  }
};

struct ReplicaReport {
  std::shared_ptr<const HostedReplica> hosted;
  consensus::ReplicaStatus status;
};

// Thread-safe but for what is marked. Destroy only after Stop.
class ReplicaHost {
 public:
  struct Dependencies {
    env::FileSystem* fs;
    env::Clock* clock;
    env::Random* random;
    std::vector<ShardExecutors> shards;
    consensus::StableStore* stable;
    consensus::PeerLink* peers;
    // Told on a shard's loop when the leader of a group changed, as far as this node knows.
    std::function<void(GroupId group, NodeId leader)> on_leader;
    // Told on a shard's loop that a replica closed after a fault, and why.
    std::function<void(GroupId group, const absl::Status& why)> on_closed;
    telemetry::Tracer* tracer = nullptr;  // null: nothing is traced
  };

  ReplicaHost(Dependencies dependencies, const BrokerOptions& options, RaftTimeouts timeouts);

  // What is on disk. Blocking; on the admin executor, or before anything else.
  absl::StatusOr<std::vector<GroupId>> Load() { return store_.Load(); }

  // Whether the group's replica is on disk. Blocking; on the admin executor.
  bool Holds(GroupId group) const { return store_.Holds(group); }

  // Opens the replica, as node `self`, and takes part in its group. A replica that cannot be opened
  // is in the table with its error. Blocking; on the admin executor. OK when it is there.
  void Open(const ReplicaSpec& spec, NodeId self);
  // Answers what waits with `reason`, closes the replica and, with `remove`, forgets it on disk;
  // then `done`, on the admin executor. On the admin executor.
  void Close(GroupId group, const absl::Status& reason, bool remove,
             absl::AnyInvocable<void(absl::Status)> done);
  // New settings of a topic reach its replicas.
  void ChangeSettings(const TopicInfo& topic);

  std::shared_ptr<const HostedReplica> Find(GroupId group) const;
  // In the order of the groups.
  std::vector<std::shared_ptr<const HostedReplica>> All() const;

  // A message of a peer for one of the groups. Unknown groups: dropped, the peer repeats. It
  // reaches the group with DeliverGathered: the shards wake up once for many. Both on one thread.
  void Deliver(NodeId from, GroupId group, consensus::Message message);
  void DeliverGathered();

  // The shard that runs (or would run) the group.
  const ShardExecutors& executors(GroupId group) const;
  // For the group of the controller, which lives beside the partitions.
  consensus::GroupCommit& group_commit(GroupId group);
  const std::shared_ptr<log::TailCache>& tail_cache() const { return tail_cache_; }
  env::Executor& admin() { return *shards_.front()->executors.disk; }
  NodeCounters& counters() { return counters_; }

  // Counters and states of all replicas.
  BrokerStats stats() const;
  // How each group is doing, as its shard sees it, in the order of the groups; a closed status for
  // a replica that could not be opened. Blocking for the shards' loops, which go on with other work
  // in between; not from a shard's thread.
  std::vector<ReplicaReport> Statuses() const;

  void StartRetention();
  // Gives leadership away where another node can take it, and waits a moment until it has.
  // Blocking; not from a shard's thread.
  void HandOver();
  // Closes every replica cleanly. Blocking; not from a shard's thread. Idempotent.
  void Stop(const absl::Status& reason);
  // As consensus::Replica::DropWaiting, of all replicas.
  void DropWaiting();
  // Waits until no executor has a task left that knows this host. Blocking; after Stop.
  void Drain();

 private:
  struct Delivery {
    std::shared_ptr<consensus::RaftReplica> replica;
    NodeId from;
    consensus::Message message;
  };
  struct Shard {
    Shard(const Dependencies& d, ShardExecutors e, consensus::RaftCounters& counters)
        : executors(e), group_commit(*d.fs, *d.clock, *e.loop, *e.disk, counters) {}
    ShardExecutors executors;
    consensus::GroupCommit group_commit;
    std::vector<Delivery> deliveries;            // where messages are delivered
    env::Executor::TimerId retention_timer = 0;  // on the loop
  };

  Shard& ShardOf(GroupId group) const;
  std::shared_ptr<HostedReplica> OpenNow(const ReplicaSpec& spec, NodeId self);
  void ScheduleRetention(Shard& shard);

  const Dependencies dependencies_;
  const BrokerOptions options_;
  const RaftTimeouts timeouts_;
  const std::shared_ptr<log::TailCache>
      tail_cache_;  // shared with the logs, which readers may keep
  NodeCounters counters_;
  ReplicaStore store_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::atomic<bool> stopping_{false};

  mutable base::Mutex mutex_;
  absl::flat_hash_map<GroupId, std::shared_ptr<HostedReplica>> replicas_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn::broker
