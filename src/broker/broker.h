// Broker: the topics of the cluster, as one of its nodes serves them. cluster::Node implements it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "broker/partition.h"
#include "broker/topic.h"
#include "env/clock.h"
#include "env/executor.h"
#include "env/file_system.h"
#include "env/random.h"
#include "log/damage.h"

namespace cairn::broker {

// One shard's executors: `loop` owns the partitions, `disk` runs the blocking writes and syncs of
// the group commit. In the simulator they may be the same.
struct ShardExecutors {
  env::Executor* loop = nullptr;
  env::Executor* disk = nullptr;
  env::Executor* reader = nullptr;  // reads old entries for followers; nullptr: `disk` does
};

struct BrokerOptions {
  std::string data_dir;
  TopicSettings default_settings;  // for topics created without their own
  int32_t default_partitions = 1;
  uint64_t max_inflight_bytes =
      256 << 20;  // produce requests accepted and not answered; beyond: OVERLOADED
  uint64_t tail_cache_bytes = 64 << 20;  // of all partitions together
  int64_t retention_interval_ms = 30'000;
  // Told what opening each partition found; to be logged. May be empty of findings. On the opening
  // thread.
  std::function<void(const std::string& topic, PartitionId partition,
                     const log::RecoveryReport& report)>
      on_recovery = [](const std::string&, PartitionId, const log::RecoveryReport&) {};
};

// Counters since the start and current values, for status and metrics.
struct BrokerStats {
  uint64_t records_appended = 0;
  uint64_t bytes_appended = 0;  // bodies
  uint64_t commit_groups = 0;   // rounds of write + fdatasync
  uint64_t partitions = 0;
  uint64_t failed_partitions = 0;  // closed after a disk fault
  bool disk_full = false;
};

// Thread-safe. Destroy only after Stop.
class Broker {
 public:
  using TopicCallback = absl::AnyInvocable<void(absl::StatusOr<TopicInfo>)>;
  using DoneCallback = absl::AnyInvocable<void(absl::Status)>;

  virtual ~Broker() = default;

  // Durable when `done` gets OK. Errors: INVALID_ARGUMENT (name, partition count 1 … 10,000,
  // settings, replication factor), ALREADY_EXISTS with reason TOPIC_EXISTS.
  virtual void CreateTopic(std::string name, int32_t partition_count, int32_t replication_factor,
                           TopicSettingsChange settings, TopicCallback done) = 0;
  // Errors: NOT_FOUND with reason UNKNOWN_TOPIC. Also in AlterTopic and DescribeTopic.
  virtual void DeleteTopic(std::string name, DoneCallback done) = 0;
  // When `done` gets OK the change is durable, and the replicas of this node follow it.
  virtual void AlterTopic(std::string name, TopicSettingsChange settings,
                          std::optional<int32_t> replication_factor, TopicCallback done) = 0;
  virtual absl::StatusOr<TopicInfo> DescribeTopic(std::string_view name) const = 0;
  // Sorted by name.
  virtual std::vector<TopicInfo> ListTopics() const = 0;

  // The partition, also when it cannot serve (its methods then say why). Shared because streams
  // outlive a deleted topic. Errors: NOT_FOUND with reason UNKNOWN_TOPIC or UNKNOWN_PARTITION (and
  // the count).
  virtual absl::StatusOr<std::shared_ptr<Partition>> FindPartition(std::string_view topic,
                                                                   PartitionId partition) const = 0;

  // A producer id that no one else has, for idempotence. Committed before `done` gets it.
  using ProducerIdCallback = absl::AnyInvocable<void(absl::StatusOr<int64_t>)>;
  virtual void AllocateProducerId(ProducerIdCallback done) = 0;

  virtual BrokerStats stats() const = 0;

  // Refuses new work, finishes and answers what was accepted, syncs, closes every log cleanly.
  // Blocking; not from a shard's thread. Idempotent.
  virtual void Stop() = 0;
};

}  // namespace cairn::broker
