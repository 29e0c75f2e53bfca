// A node over a simulated disk, and beside it what its clients were told: whatever happens to the
// machine, the node that comes back must agree with that. For tests only.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/error_info.h"
#include "broker/broker.h"
#include "cluster/node.h"
#include "consensus/peer_transport.h"
#include "env/sim_clock.h"
#include "env/sim_executor.h"
#include "env/sim_file_system.h"
#include "env/sim_key_value_store.h"
#include "env/sim_random.h"
#include "env/sim_thread.h"
#include "log/log.h"
#include "log/records.h"

namespace cairn::cluster {

using broker::kDefaultTopic;
using broker::Partition;
using broker::ProduceResult;
using broker::TopicInfo;
using broker::TopicSettings;
using broker::TopicSettingsChange;

// A node has one disk and one stable store, and a crash leaves both as they were at one moment.
struct SimMachine {
  env::FileSystem* fs;
  env::SimKeyValueStore* store;
};

// Nobody answers: the node is its cluster.
class NoDialer final : public consensus::PeerDialer {
 public:
  explicit NoDialer(env::Executor& executor) : executor_(executor) {}
  void Dial(const std::string& address, env::Network::ConnectCallback done) override {
    executor_.Post([address, done = std::move(done)]() mutable {
      done(absl::UnavailableError("nobody at " + address));
    });
  }

 private:
  env::Executor& executor_;
};

// The stable store outlives the node that opened it.
class BorrowedStore final : public env::KeyValueStore {
 public:
  explicit BorrowedStore(env::KeyValueStore& store) : store_(store) {}
  absl::Status Apply(std::span<const Change> changes) override { return store_.Apply(changes); }
  absl::Status ForEach(
      std::string_view prefix,
      absl::FunctionRef<void(std::string_view, std::string_view)> visit) const override {
    return store_.ForEach(prefix, visit);
  }

 private:
  env::KeyValueStore& store_;
};

// A cluster of one node on one thread and simulated time, whose disk is as quick or as slow as
// chance will have it. Destroying it without Stop is the death of the process.
class SimBroker {
 public:
  SimBroker(SimMachine machine, uint64_t seed, int64_t wall_ms) : random_(seed) {
    clock_.SetWallMs(wall_ms);
    NodeOptions options;
    options.description = {.name = "n", .rpc_address = "n:1", .rack = "", .version = "0"};
    options.broker.data_dir = "/data";
    options.broker.tail_cache_bytes = 256 << 10;  // some reads find their entries in it
    options.broker.default_settings.segment_bytes = broker::kMinTopicSegmentBytes;
    options.broker.on_recovery = [this](const std::string& topic, PartitionId,
                                        const log::RecoveryReport& report) {
      for (const auto& damage : report.damages) damages_ += topic + ": " + Describe(damage) + "\n";
    };
    executor_ = std::make_unique<env::SimExecutor>(clock_);
    disk_ = std::make_unique<env::SimThread>(*executor_, random_);
    dialer_ = std::make_unique<NoDialer>(*executor_);
    Node::Dependencies dependencies;
    dependencies.fs = machine.fs;
    dependencies.clock = &clock_;
    dependencies.random = &random_;
    dependencies.shards = {{executor_.get(), disk_.get()}};
    dependencies.network = executor_.get();
    dependencies.dialer = dialer_.get();
    dependencies.open_store = [store = machine.store](const std::string&) {
      return absl::StatusOr<std::unique_ptr<env::KeyValueStore>>(
          std::make_unique<BorrowedStore>(*store));
    };
    opened_ = Node::Open(std::move(dependencies), std::move(options));
    if (opened_.ok()) Run();
  }
  ~SimBroker() { executor_.reset(); }  // what was still to be done is not done

  absl::Status status() const { return opened_.status(); }
  Node& operator*() { return **opened_; }
  Node* operator->() { return opened_->get(); }
  env::SimExecutor& executor() { return *executor_; }
  int64_t wall_ms() const { return clock_.WallMs(); }
  const std::string& damages() const { return damages_; }  // that recovery reported

  // Runs what is to be done now or in a moment.
  void Run() {
    executor_->RunUntilIdle();
    executor_->RunFor(kMomentNs);
    executor_->RunUntilIdle();
  }

  // Stop blocks: it runs on a thread of its own, beside the executor.
  void Stop() {
    std::atomic<bool> done = false;
    std::thread stopper([&] {
      (*opened_)->Stop();
      done = true;
    });
    while (!done) {
      executor_->RunUntilIdle();
      executor_->RunFor(kMomentNs);
    }
    stopper.join();
    executor_->RunUntilIdle();
  }

  absl::StatusOr<int64_t> AllocateProducerId() {
    absl::StatusOr<int64_t> id = absl::UnknownError("not answered");
    (*opened_)->AllocateProducerId([&](absl::StatusOr<int64_t> taken) { id = std::move(taken); });
    Run();
    return id;
  }

 private:
  static constexpr int64_t kMomentNs = 20'000'000;

  env::SimClock clock_;
  env::SimRandom random_;
  std::unique_ptr<env::SimThread> disk_;
  std::unique_ptr<NoDialer> dialer_;
  std::unique_ptr<env::SimExecutor> executor_;
  std::string damages_;
  absl::StatusOr<std::unique_ptr<Node>> opened_ = absl::UnknownError("not opened");
};

// A batch that a client sent, and what it knows of it.
struct SentBatch {
  enum class Fate {
    kUnknown,  // not answered, or UNAVAILABLE: stored or not
    kStored,   // acknowledged
    kRefused,  // certainly not stored
  };
  log::Batch batch;
  std::string key;  // of its first record; tells it from all others
  Fate fate = Fate::kUnknown;
  Offset base_offset;  // when stored
};

struct PartitionModel {
  // Shared with the callbacks of the requests.
  std::vector<std::shared_ptr<SentBatch>> sent;
  int64_t producer_id = log::kNoProducerId;
  int32_t next_sequence = 0;

  Offset acknowledged_end() const {
    Offset end;
    for (const auto& batch : sent) {
      if (batch->fate == SentBatch::Fate::kStored) {
        end = std::max(end, batch->base_offset + batch->batch.record_count);
      }
    }
    return end;
  }
};

struct TopicModel {
  TopicInfo info;
  bool creating = false;
  bool deleting = false;
  std::optional<TopicSettings> altering;  // to these
  std::vector<PartitionModel> partitions;
};

using Model = std::map<std::string, TopicModel>;

// The key of the first record of each stored batch, with its offset; or an error.
struct StoredBatch {
  std::string key;
  Offset base_offset;
  uint32_t record_count;
  std::string records;  // the section
};
inline absl::StatusOr<std::vector<StoredBatch>> ReadAll(Partition& partition) {
  std::vector<StoredBatch> found;
  for (Offset at = partition.log_start(); at < partition.high_watermark();) {
    auto fetched = partition.Fetch(at, 64 << 10);
    if (!fetched.ok()) return fetched.status();
    if (fetched->entries.empty()) return absl::InternalError("nothing below the high watermark");
    for (const log::Entry& entry : fetched->entries) {
      if (entry.header.base_offset > at || entry.header.end_offset() <= at) {
        return absl::InternalError("offsets are not dense");
      }
      log::RecordsReader reader(entry.body(), entry.header.base_timestamp_ms);
      log::RecordView record;
      auto more = reader.Next(record);
      if (!more.ok()) return more.status();
      found.push_back({std::string(record.key.value_or("")), entry.header.base_offset,
                       entry.header.record_count, std::string(entry.body())});
      at = entry.header.end_offset();
    }
  }
  return found;
}

// Compares the partition with what clients know. Empty, or what is wrong.
inline std::string Compare(Partition& partition, const PartitionModel& model) {
  const Offset end = partition.high_watermark();
  if (end < model.acknowledged_end()) {
    return "ends at " + std::to_string(end.value()) + ", acknowledged up to " +
           std::to_string(model.acknowledged_end().value());
  }
  const Offset start = partition.log_start();
  const auto found = ReadAll(partition);
  if (!found.ok()) return found.status().ToString();
  std::map<std::string, const StoredBatch*> by_key;
  for (const StoredBatch& batch : *found) {
    if (!by_key.emplace(batch.key, &batch).second) return "stored twice: " + batch.key;
  }
  for (const auto& sent : model.sent) {
    const auto it = by_key.find(sent->key);
    if (it == by_key.end()) {
      const bool gone = sent->base_offset + sent->batch.record_count <= start;  // by retention
      if (sent->fate == SentBatch::Fate::kStored && !gone) return "lost: " + sent->key;
      continue;
    }
    const StoredBatch& stored = *it->second;
    if (sent->fate == SentBatch::Fate::kRefused) return "stored though refused: " + sent->key;
    if (sent->fate == SentBatch::Fate::kStored && stored.base_offset != sent->base_offset) {
      return "moved: " + sent->key;
    }
    if (stored.records != sent->batch.records) return "changed: " + sent->key;
    by_key.erase(it);
  }
  return by_key.empty() ? "" : "never sent: " + by_key.begin()->first;
}

// Produces and runs the broker until it answers.
inline absl::StatusOr<ProduceResult> ProduceNow(SimBroker& broker, Partition& partition,
                                                log::Batch batch) {
  absl::StatusOr<ProduceResult> result = absl::UnknownError("not answered");
  partition.Produce(std::move(batch), std::nullopt,
                    [&](absl::StatusOr<ProduceResult> answer) { result = std::move(answer); });
  broker.Run();
  return result;
}

// Retries what the producer of the partition may still retry: what is stored is answered as a
// duplicate, at its offset; the rest is stored now. Nothing is stored twice. Empty, or what is
// wrong.
inline std::string CheckRetries(SimBroker& broker, Partition& partition,
                                const PartitionModel& model) {
  constexpr size_t kRetries = 6;
  std::vector<const SentBatch*> batches;
  for (const auto& sent : model.sent) {
    const bool has_sequence = sent->batch.producer_id != log::kNoProducerId;
    if (has_sequence && sent->fate != SentBatch::Fate::kRefused) batches.push_back(sent.get());
  }
  // All that are unanswered, because they must come in order, and the last ones before them.
  while (batches.size() > kRetries && batches.front()->fate == SentBatch::Fate::kStored) {
    batches.erase(batches.begin());
  }
  for (const SentBatch* sent : batches) {
    const bool was_stored = sent->fate == SentBatch::Fate::kStored;
    if (was_stored && sent->base_offset < partition.log_start()) continue;  // left with its record
    const auto result = ProduceNow(broker, partition, sent->batch);
    if (!result.ok()) return "retry of " + sent->key + ": " + result.status().ToString();
    if (was_stored && (!result->duplicate || result->base_offset != sent->base_offset)) {
      return "retry of " + sent->key + " was stored again at " +
             std::to_string(result->base_offset.value());
    }
  }
  return Compare(partition, model);
}

// Compares a broker with all that clients know. With `try_retries` it also writes.
inline std::string Compare(SimBroker& broker, const Model& model, bool try_retries) {
  if (!broker.damages().empty()) return "damage: " + broker.damages();
  std::set<std::string> names;
  for (const TopicInfo& info : broker->ListTopics()) {
    const auto it = model.find(info.name);
    if (it == model.end()) return "topic " + info.name + " was deleted or never created";
    const TopicModel& topic = it->second;
    names.insert(info.name);
    if (!topic.creating && info.id != topic.info.id) return "topic " + info.name + " is another";
    if (info.partition_count != topic.info.partition_count)
      return "partition count of " + info.name;
    if (info.settings != topic.info.settings &&
        (!topic.altering || info.settings != *topic.altering)) {
      return "settings of " + info.name;
    }
    for (int32_t i = 0; i < info.partition_count; ++i) {
      const auto partition = broker->FindPartition(info.name, PartitionId(i));
      if (!partition.ok()) return partition.status().ToString();
      const PartitionModel& wanted = topic.partitions[static_cast<size_t>(i)];
      std::string problem = Compare(**partition, wanted);
      if (problem.empty() && try_retries) problem = CheckRetries(broker, **partition, wanted);
      if (!problem.empty()) return info.name + "/" + std::to_string(i) + ": " + problem;
    }
  }
  for (const auto& [name, topic] : model) {
    if (!topic.creating && !topic.deleting && !names.contains(name))
      return "topic " + name + " is lost";
  }
  return "";
}

}  // namespace cairn::cluster
