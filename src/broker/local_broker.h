// LocalBroker: the Broker of one node that holds all topics itself.
//
// Threads: the maps of topics are behind a mutex; everything about a partition is in its shard.
// Creating, altering and deleting topics runs one at a time on the first shard's disk executor.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "broker/broker.h"
#include "broker/data_directory.h"
#include "broker/shard_partition.h"
#include "broker/topic_store.h"
#include "consensus/group_commit.h"
#include "log/tail_cache.h"

namespace cairn::broker {

class LocalBroker final : public Broker {
 public:
  LocalBroker(env::FileSystem& fs, env::Clock& clock, env::Random& random,
              std::vector<ShardExecutors> executors, BrokerOptions options);

  absl::Status Start();

  void CreateTopic(std::string name, int32_t partition_count, int32_t replication_factor,
                   TopicSettingsChange settings, TopicCallback done) override;
  void DeleteTopic(std::string name, DoneCallback done) override;
  void AlterTopic(std::string name, TopicSettingsChange settings, TopicCallback done) override;
  absl::StatusOr<TopicInfo> DescribeTopic(std::string_view name) const override;
  std::vector<TopicInfo> ListTopics() const override;
  absl::StatusOr<std::shared_ptr<Partition>> FindPartition(std::string_view topic,
                                                           PartitionId partition) const override;
  absl::StatusOr<int64_t> AllocateProducerId() override;
  BrokerStats stats() const override;
  void Stop() override;

 private:
  struct Shard {
    Shard(env::FileSystem& fs, ShardExecutors e)
        : executors(e), group_commit(fs, *e.loop, *e.disk) {}
    ShardExecutors executors;
    consensus::GroupCommit group_commit;
    env::Executor::TimerId retention_timer = 0;  // on the loop
  };
  struct Topic {
    TopicInfo info;
    // served[i] is partitions[i], or null where the partition could not be opened.
    std::vector<std::shared_ptr<Partition>> partitions;
    std::vector<std::shared_ptr<ShardPartition>> served;
  };
  using Topics = std::map<std::string, std::shared_ptr<Topic>, std::less<>>;

  absl::StatusOr<std::shared_ptr<Topic>> CreateTopicNow(const TopicInfo& info);
  std::shared_ptr<Topic> OpenTopic(const TopicInfo& info, const absl::Status& status);
  absl::StatusOr<std::shared_ptr<ShardPartition>> OpenPartition(const TopicInfo& info,
                                                                PartitionId partition,
                                                                Shard& shard);
  Shard& ShardFor(const TopicInfo& info, PartitionId partition);
  std::shared_ptr<Topic> FindTopic(std::string_view name) const;
  Topics topics() const;
  // Stops the partitions of a topic; `done` runs once all have, on a shard's loop.
  void StopTopic(const Topic& topic, const absl::Status& reason, absl::AnyInvocable<void()> done);
  void ScheduleRetention(Shard& shard);
  void StopTopics();
  // Waits until no executor has a task left that knows this broker.
  void Drain();
  env::Executor& admin() { return *shards_.front()->executors.disk; }
  absl::Status CheckRunning() const;

  env::FileSystem& fs_;
  env::Clock& clock_;
  env::Random& random_;
  const BrokerOptions options_;
  const std::shared_ptr<log::TailCache>
      tail_cache_;  // shared with the logs, which readers may keep
  NodeCounters counters_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::unique_ptr<DataDirectory> directory_;
  std::unique_ptr<TopicStore> store_;

  mutable base::Mutex mutex_;
  Topics topics_ CAIRN_GUARDED_BY(mutex_);
  std::atomic<bool> stopping_{false};
};

}  // namespace cairn::broker
