#include "broker/local_broker.h"

#include <algorithm>
#include <utility>

#include "base/error_info.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "broker/producer_snapshot.h"
#include "broker/unavailable_partition.h"
#include "consensus/local_replica.h"
#include "env/files.h"

namespace cairn::broker {
namespace {

// With less free space than this the disk counts as full: log-start files and topic descriptions,
// which deleting data needs, are written from it.
constexpr uint64_t kReservedFreeBytes = 4 << 20;

absl::Status UnknownTopic(std::string_view name) {
  return base::MakeError(
      absl::StatusCode::kNotFound,
      base::StrCat("there is no topic \"", name, "\"; create it with: cairn topic create NAME"),
      base::reason::kUnknownTopic, {{"topic", std::string(name)}});
}

// Counts down and calls `done` at zero. Any thread.
struct Countdown {
  std::atomic<size_t> left;
  absl::AnyInvocable<void()> done;
  void Arrive() {
    if (left.fetch_sub(1) == 1) done();
  }
};

// Waits until what was counted has arrived.
class WaitGroup {
 public:
  explicit WaitGroup(size_t count) : left_(count) {}
  void Add(size_t count) {
    base::MutexLock lock(mutex_);
    left_ += count;
  }
  void Arrive() {
    base::MutexLock lock(mutex_);
    --left_;
    arrived_.NotifyAll();
  }
  void Wait() {
    base::MutexLock lock(mutex_);
    while (left_ > 0) arrived_.Wait(mutex_);
  }

 private:
  base::Mutex mutex_;
  base::CondVar arrived_;
  size_t left_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<std::unique_ptr<Broker>> Broker::Open(env::FileSystem& fs, env::Clock& clock,
                                                     env::Random& random,
                                                     std::vector<ShardExecutors> shards,
                                                     BrokerOptions options) {
  if (shards.empty()) return absl::InvalidArgumentError("a broker needs at least one shard");
  CAIRN_RETURN_IF_ERROR(ValidateTopicSettings(options.default_settings));
  auto broker =
      std::make_unique<LocalBroker>(fs, clock, random, std::move(shards), std::move(options));
  CAIRN_RETURN_IF_ERROR(broker->Start());
  return broker;
}

LocalBroker::LocalBroker(env::FileSystem& fs, env::Clock& clock, env::Random& random,
                         std::vector<ShardExecutors> executors, BrokerOptions options)
    : fs_(fs),
      clock_(clock),
      random_(random),
      options_(std::move(options)),
      tail_cache_(std::make_shared<log::TailCache>(options_.tail_cache_bytes)) {
  for (const ShardExecutors& e : executors) shards_.push_back(std::make_unique<Shard>(fs, e));
}

absl::Status LocalBroker::Start() {
  CAIRN_ASSIGN_OR_RETURN(directory_, DataDirectory::Open(fs_, random_, options_.data_dir));
  store_ = std::make_unique<TopicStore>(fs_, clock_, directory_->topics_path());
  CAIRN_ASSIGN_OR_RETURN(const auto found, store_->Load());
  Topics topics;
  for (const auto& [info, status] : found) topics[info.name] = OpenTopic(info, status);
  if (!topics.contains(kDefaultTopic)) {
    TopicInfo info;
    info.name = kDefaultTopic;
    info.id = base::Uuid::FromRandom(random_.Next(), random_.Next());
    info.partition_count = options_.default_partitions;
    info.settings = options_.default_settings;
    info.created_ms = clock_.WallMs();
    CAIRN_ASSIGN_OR_RETURN(topics[info.name], CreateTopicNow(info));
  }
  {
    base::MutexLock lock(mutex_);
    topics_ = std::move(topics);
  }
  for (auto& shard : shards_) {
    shard->executors.loop->Post([this, &shard = *shard] { ScheduleRetention(shard); });
  }
  return absl::OkStatus();
}

LocalBroker::Shard& LocalBroker::ShardFor(const TopicInfo& info, PartitionId partition) {
  // By the topic's identity, so that it does not depend on the order in which topics were opened.
  const auto& id = info.id.bytes();
  const size_t hash = static_cast<size_t>(id[0]) + static_cast<size_t>(partition.value());
  return *shards_[hash % shards_.size()];
}

absl::StatusOr<std::shared_ptr<ShardPartition>> LocalBroker::OpenPartition(const TopicInfo& info,
                                                                           PartitionId partition,
                                                                           Shard& shard) {
  log::RecoveryReport report;
  CAIRN_ASSIGN_OR_RETURN(
      auto log,
      log::Log::Open(fs_, clock_, store_->LogOptionsFor(info, partition, tail_cache_), report));
  options_.on_recovery(info.name, partition, report);
  CAIRN_ASSIGN_OR_RETURN(ProducerStates states, LoadProducerStates(fs_, *log));
  auto served = std::make_shared<ShardPartition>(
      ShardPartition::Dependencies{&fs_, &clock_, shard.executors.loop, &counters_,
                                   options_.max_inflight_bytes},
      info.settings, std::move(states));
  served->SetReplica(std::make_shared<consensus::LocalReplica>(
      consensus::LocalReplica::Dependencies{&fs_, &clock_, shard.executors.loop,
                                            &shard.group_commit},
      std::move(log), *served));
  return served;
}

std::shared_ptr<LocalBroker::Topic> LocalBroker::OpenTopic(const TopicInfo& info,
                                                           const absl::Status& status) {
  auto topic = std::make_shared<Topic>();
  topic->info = info;
  for (int32_t i = 0; i < info.partition_count; ++i) {
    Shard& shard = ShardFor(info, PartitionId(i));
    auto opened = status.ok() ? OpenPartition(info, PartitionId(i), shard)
                              : absl::StatusOr<std::shared_ptr<ShardPartition>>(status);
    if (opened.ok()) {
      topic->served.push_back(*opened);
      topic->partitions.push_back(*std::move(opened));
    } else {
      topic->served.push_back(nullptr);
      topic->partitions.push_back(
          std::make_shared<UnavailablePartition>(*shard.executors.loop, opened.status()));
    }
  }
  return topic;
}

absl::StatusOr<std::shared_ptr<LocalBroker::Topic>> LocalBroker::CreateTopicNow(
    const TopicInfo& info) {
  CAIRN_RETURN_IF_ERROR(store_->Create(info));
  return OpenTopic(info, absl::OkStatus());
}

// ---- topics ----

absl::Status LocalBroker::CheckRunning() const {
  if (!stopping_) return absl::OkStatus();
  return base::MakeError(absl::StatusCode::kUnavailable, "the broker is shutting down",
                         base::reason::kShuttingDown);
}

LocalBroker::Topics LocalBroker::topics() const {
  base::MutexLock lock(mutex_);
  return topics_;
}

std::shared_ptr<LocalBroker::Topic> LocalBroker::FindTopic(std::string_view name) const {
  base::MutexLock lock(mutex_);
  const auto it = topics_.find(name);
  return it == topics_.end() ? nullptr : it->second;
}

void LocalBroker::CreateTopic(std::string name, int32_t partition_count, int32_t replication_factor,
                              TopicSettingsChange settings, TopicCallback done) {
  admin().Post([this, name = std::move(name), partition_count, replication_factor, settings,
                done = std::move(done)]() mutable {
    const auto create = [&]() -> absl::StatusOr<TopicInfo> {
      CAIRN_RETURN_IF_ERROR(CheckRunning());
      CAIRN_RETURN_IF_ERROR(ValidateTopicName(name));
      TopicInfo info;
      info.name = name;
      info.partition_count = partition_count == 0 ? options_.default_partitions : partition_count;
      info.settings = Apply(options_.default_settings, settings);
      info.created_ms = clock_.WallMs();
      info.id = base::Uuid::FromRandom(random_.Next(), random_.Next());
      if (info.partition_count < 1 || info.partition_count > kMaxPartitionsPerTopic) {
        return absl::InvalidArgumentError(base::StrCat("a topic has 1 to ", kMaxPartitionsPerTopic,
                                                       " partitions, not ", partition_count));
      }
      if (replication_factor < 0 || replication_factor > 1) {
        return absl::InvalidArgumentError(base::StrCat("replication factor ", replication_factor,
                                                       " needs as many brokers; there is 1"));
      }
      CAIRN_RETURN_IF_ERROR(ValidateTopicSettings(info.settings));
      if (FindTopic(name) != nullptr) {
        return base::MakeError(absl::StatusCode::kAlreadyExists,
                               base::StrCat("topic \"", name, "\" exists already"),
                               base::reason::kTopicExists, {{"topic", name}});
      }
      CAIRN_ASSIGN_OR_RETURN(auto topic, CreateTopicNow(info));
      base::MutexLock lock(mutex_);
      topics_[name] = std::move(topic);
      return info;
    };
    done(create());
  });
}

void LocalBroker::AlterTopic(std::string name, TopicSettingsChange settings, TopicCallback done) {
  admin().Post([this, name = std::move(name), settings, done = std::move(done)]() mutable {
    const auto alter = [&]() -> absl::StatusOr<TopicInfo> {
      CAIRN_RETURN_IF_ERROR(CheckRunning());
      const auto old = FindTopic(name);
      if (old == nullptr) return UnknownTopic(name);
      auto topic = std::make_shared<Topic>(*old);
      topic->info.settings = Apply(old->info.settings, settings);
      CAIRN_RETURN_IF_ERROR(ValidateTopicSettings(topic->info.settings));
      CAIRN_RETURN_IF_ERROR(store_->Save(topic->info));
      for (const auto& partition : topic->served) {
        if (partition != nullptr) partition->ChangeSettings(topic->info.settings);
      }
      base::MutexLock lock(mutex_);
      topics_[name] = topic;
      return topic->info;
    };
    done(alter());
  });
}

void LocalBroker::StopTopic(const Topic& topic, const absl::Status& reason,
                            absl::AnyInvocable<void()> done) {
  // Shared because every partition of the topic counts it down.
  auto countdown = std::make_shared<Countdown>();
  countdown->left = topic.served.size() + 1;
  countdown->done = std::move(done);
  for (const auto& partition : topic.served) {
    if (partition == nullptr) {
      countdown->Arrive();
    } else {
      // A log that could not be closed cleanly is recovered by the next start.
      partition->Stop(reason, [countdown](const absl::Status&) { countdown->Arrive(); });
    }
  }
  countdown->Arrive();
}

void LocalBroker::DeleteTopic(std::string name, DoneCallback done) {
  admin().Post([this, name = std::move(name), done = std::move(done)]() mutable {
    if (absl::Status status = CheckRunning(); !status.ok()) return done(std::move(status));
    const auto topic = FindTopic(name);
    if (topic == nullptr) return done(UnknownTopic(name));
    // The directory goes first: once it is renamed the topic does not come back. The name stays
    // taken until the partitions have stopped, so that nothing of theirs is written to a new topic
    // of the same name.
    const auto grave = store_->Delete(topic->info);
    if (!grave.ok()) return done(grave.status());
    StopTopic(
        *topic, UnknownTopic(name), [this, name, grave = *grave, done = std::move(done)]() mutable {
          {
            base::MutexLock lock(mutex_);
            topics_.erase(name);
          }
          done(absl::OkStatus());
          // What cannot be removed now is removed by the next start.
          admin().Post(
              [&fs = fs_, grave = std::move(grave)] { env::RemoveTree(fs, grave).IgnoreError(); });
        });
  });
}

absl::StatusOr<TopicInfo> LocalBroker::DescribeTopic(std::string_view name) const {
  const auto topic = FindTopic(name);
  if (topic == nullptr) return UnknownTopic(name);
  return topic->info;
}

std::vector<TopicInfo> LocalBroker::ListTopics() const {
  std::vector<TopicInfo> infos;
  for (const auto& [name, topic] : topics()) infos.push_back(topic->info);
  return infos;
}

absl::StatusOr<std::shared_ptr<Partition>> LocalBroker::FindPartition(std::string_view name,
                                                                      PartitionId partition) const {
  CAIRN_RETURN_IF_ERROR(CheckRunning());
  const auto topic = FindTopic(name);
  if (topic == nullptr) return UnknownTopic(name);
  if (partition < PartitionId(0) || partition >= PartitionId(topic->info.partition_count)) {
    return base::MakeError(
        absl::StatusCode::kNotFound,
        base::StrCat("topic \"", name, "\" has partitions 0 to ", topic->info.partition_count - 1,
                     ", not ", partition.value()),
        base::reason::kUnknownPartition,
        {{"partition_count", base::StrCat(topic->info.partition_count)}});
  }
  return topic->partitions[static_cast<size_t>(partition.value())];
}

absl::StatusOr<int64_t> LocalBroker::AllocateProducerId() {
  CAIRN_RETURN_IF_ERROR(CheckRunning());
  return directory_->AllocateProducerId();
}

// ---- background, status, stop ----

void LocalBroker::ScheduleRetention(Shard& shard) {
  shard.retention_timer =
      shard.executors.loop->PostAfter(options_.retention_interval_ms * 1'000'000, [this, &shard] {
        for (const auto& [name, topic] : topics()) {
          for (int32_t i = 0; i < topic->info.partition_count; ++i) {
            const auto& partition = topic->served[static_cast<size_t>(i)];
            if (partition != nullptr && &ShardFor(topic->info, PartitionId(i)) == &shard) {
              partition->ApplyRetention();
            }
          }
        }
        // A full disk that nobody writes to any more becomes known as usable again here.
        if (counters_.disk_full) {
          const auto free = fs_.FreeBytes(options_.data_dir);
          if (free.ok() && *free > kReservedFreeBytes) counters_.disk_full = false;
        }
        if (!stopping_) ScheduleRetention(shard);
      });
}

BrokerStats LocalBroker::stats() const {
  BrokerStats stats;
  stats.records_appended = counters_.records_appended;
  stats.bytes_appended = counters_.bytes_appended;
  stats.disk_full = counters_.disk_full;
  for (const auto& shard : shards_) stats.commit_groups += shard->group_commit.groups();
  for (const auto& [name, topic] : topics()) {
    for (const auto& partition : topic->served) {
      ++stats.partitions;
      if (partition == nullptr) ++stats.failed_partitions;
    }
  }
  return stats;
}

void LocalBroker::Stop() {
  if (stopping_.exchange(true)) return;
  StopTopics();
  Drain();
}

void LocalBroker::StopTopics() {
  WaitGroup running(shards_.size() + 1);
  // Behind whatever the admin executor has begun, so that no topic appears any more.
  admin().Post([&] {
    const Topics all = topics();
    running.Add(all.size());
    for (const auto& [name, topic] : all) {
      StopTopic(*topic, CheckRunning(), [&running] { running.Arrive(); });
    }
    running.Arrive();
  });
  for (auto& shard : shards_) {
    shard->executors.loop->Post([&running, &shard = *shard] {
      shard.executors.loop->Cancel(shard.retention_timer);
      running.Arrive();
    });
  }
  running.Wait();
}

void LocalBroker::Drain() {
  // Executors are queues: when each has run this, the tasks that were posted before, which may know
  // this broker, are over.
  WaitGroup running(shards_.size());
  for (auto& shard : shards_) {
    shard->executors.disk->Post([&running, &shard = *shard] {
      shard.executors.loop->Post([&running] { running.Arrive(); });
    });
  }
  running.Wait();
}

}  // namespace cairn::broker
