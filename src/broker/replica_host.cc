#include "broker/replica_host.h"

#include <algorithm>
#include <map>
#include <span>
#include <utility>

#include "base/strings.h"
#include "broker/producer_snapshot.h"
#include "broker/wait_group.h"
#include "env/files.h"

namespace cairn::broker {
namespace {

// With less free space than this the disk counts as full: log-start files and small stores, which
// deleting data needs, are written from it.
constexpr uint64_t kReservedFreeBytes = 4 << 20;
// How long a stop waits for others to take over what this node leads: 200 times 5 ms.
constexpr int kHandOverPolls = 200;
constexpr int64_t kHandOverPollNs = 5'000'000;
// Replicas that a loop is asked about in one task: some tens of microseconds.
constexpr size_t kStatusesAtOnce = 32;

// On the replica's loop.
void HandOverAndWait(const std::shared_ptr<const HostedReplica>& hosted, int polls,
                     WaitGroup& running) {
  if (polls == 0 || !hosted->replica->is_leader()) return running.Arrive();
  // Refused while it is being handed over, by this or by others; that may come to nothing.
  const absl::Status begun = hosted->replica->Transfer(NodeId());
  if (!begun.ok() && !absl::IsAborted(begun)) return running.Arrive();
  hosted->loop->PostAfter(
      kHandOverPollNs, [hosted, polls, &running] { HandOverAndWait(hosted, polls - 1, running); });
}

}  // namespace

ReplicaHost::ReplicaHost(Dependencies dependencies, const BrokerOptions& options,
                         RaftTimeouts timeouts)
    : dependencies_(std::move(dependencies)),
      options_(options),
      timeouts_(timeouts),
      tail_cache_(std::make_shared<log::TailCache>(options_.tail_cache_bytes)),
      store_(*dependencies_.fs, *dependencies_.clock, *dependencies_.stable,
             env::JoinPath(options_.data_dir, "topics")) {
  for (const ShardExecutors& e : dependencies_.shards) {
    shards_.push_back(std::make_unique<Shard>(dependencies_, e, counters_.raft));
  }
}

ReplicaHost::Shard& ReplicaHost::ShardOf(GroupId group) const {
  // Neighbouring partitions of a topic, and neighbouring topics, go to different shards.
  const uint64_t mixed = group.value() + (group.value() >> 16);
  return *shards_[mixed % shards_.size()];
}

const ShardExecutors& ReplicaHost::executors(GroupId group) const {
  return ShardOf(group).executors;
}

consensus::GroupCommit& ReplicaHost::group_commit(GroupId group) {
  return ShardOf(group).group_commit;
}

std::shared_ptr<HostedReplica> ReplicaHost::OpenNow(const ReplicaSpec& spec, NodeId self) {
  Shard& shard = ShardOf(spec.group);
  auto hosted = std::make_shared<HostedReplica>();
  hosted->spec = spec;
  hosted->loop = shard.executors.loop;
  log::RecoveryReport report;
  auto opened = store_.Open(spec, tail_cache_, report);
  options_.on_recovery(spec.topic.name, spec.partition, report);
  if (!opened.ok()) {
    hosted->status = opened.status();
    return hosted;
  }
  if (!opened->state.ok()) {
    hosted->status = opened->state.status();
    hosted->damaged_log = std::move(opened->log);
    return hosted;
  }
  auto producers = LoadProducers(*dependencies_.fs, *opened->log);
  if (!producers.ok()) {
    hosted->status = producers.status();
    return hosted;
  }
  hosted->incomplete = opened->log->damaged();
  ShardPartition::Dependencies partition;
  partition.fs = dependencies_.fs;
  partition.clock = dependencies_.clock;
  partition.loop = shard.executors.loop;
  partition.counters = &counters_;
  partition.max_inflight_bytes = options_.max_inflight_bytes;
  partition.tracer = dependencies_.tracer;
  partition.on_leader = [on_leader = dependencies_.on_leader, group = spec.group](NodeId leader) {
    if (on_leader) on_leader(group, leader);
  };
  hosted->partition = std::make_shared<ShardPartition>(std::move(partition), spec.topic.settings,
                                                       *std::move(producers));
  consensus::RaftReplica::Dependencies replica{
      .fs = dependencies_.fs,
      .clock = dependencies_.clock,
      .random = dependencies_.random,
      .loop = shard.executors.loop,
      .reader = shard.executors.reader != nullptr ? shard.executors.reader : shard.executors.disk,
      .group_commit = &shard.group_commit,
      .stable = dependencies_.stable,
      .peers = dependencies_.peers,
      .counters = &counters_.raft,
      .on_closed = dependencies_.on_closed,
      .tracer = dependencies_.tracer};
  hosted->replica = std::make_shared<consensus::RaftReplica>(
      replica,
      consensus::RaftReplica::Options{.group = spec.group,
                                      .self = self,
                                      .election_timeout_ms = timeouts_.election_ms,
                                      .heartbeat_ms = timeouts_.heartbeat_ms},
      std::move(opened->log), *std::move(opened->state), *hosted->partition);
  hosted->partition->SetReplica(hosted->replica);
  return hosted;
}

void ReplicaHost::Open(const ReplicaSpec& spec, NodeId self) {
  if (stopping_ || Find(spec.group) != nullptr) return;
  std::shared_ptr<HostedReplica> hosted = OpenNow(spec, self);
  {
    base::MutexLock lock(mutex_);
    replicas_[spec.group] = hosted;
  }
  if (hosted->replica != nullptr) {
    hosted->loop->Post([hosted] { hosted->replica->Start(); });
  }
}

void ReplicaHost::Close(GroupId group, const absl::Status& reason, bool remove,
                        absl::AnyInvocable<void(absl::Status)> done) {
  std::shared_ptr<HostedReplica> hosted;
  {
    base::MutexLock lock(mutex_);
    const auto it = replicas_.find(group);
    if (it != replicas_.end()) {
      hosted = std::move(it->second);
      replicas_.erase(it);
    }
  }
  auto finish = [this, group, remove, done = std::move(done)]() mutable {
    done(remove ? store_.Remove(group) : absl::OkStatus());
  };
  if (hosted == nullptr || hosted->partition == nullptr) return finish();
  hosted->partition->Stop(reason,
                          [this, hosted, finish = std::move(finish)](const absl::Status&) mutable {
                            admin().Post(std::move(finish));
                          });
}

void ReplicaHost::ChangeSettings(const TopicInfo& topic) {
  for (const auto& hosted : All()) {
    if (hosted->spec.topic.id == topic.id && hosted->partition != nullptr) {
      hosted->partition->ChangeSettings(topic.settings);
    }
  }
}

std::shared_ptr<const HostedReplica> ReplicaHost::Find(GroupId group) const {
  base::MutexLock lock(mutex_);
  const auto it = replicas_.find(group);
  return it == replicas_.end() ? nullptr : it->second;
}

std::vector<std::shared_ptr<const HostedReplica>> ReplicaHost::All() const {
  base::MutexLock lock(mutex_);
  std::vector<std::shared_ptr<const HostedReplica>> all;
  all.reserve(replicas_.size());
  for (const auto& [group, hosted] : replicas_) all.push_back(hosted);
  std::sort(all.begin(), all.end(),
            [](const auto& a, const auto& b) { return a->spec.group < b->spec.group; });
  return all;
}

void ReplicaHost::Deliver(NodeId from, GroupId group, consensus::Message message) {
  const auto hosted = Find(group);
  if (hosted == nullptr || hosted->replica == nullptr) return;
  ShardOf(group).deliveries.push_back({hosted->replica, from, std::move(message)});
}

void ReplicaHost::DeliverGathered() {
  for (auto& shard : shards_) {
    if (shard->deliveries.empty()) continue;
    shard->executors.loop->Post([deliveries = std::exchange(shard->deliveries, {})]() mutable {
      for (Delivery& one : deliveries) one.replica->Receive(one.from, std::move(one.message));
    });
  }
}

BrokerStats ReplicaHost::stats() const {
  BrokerStats stats;
  stats.records_appended = counters_.records_appended;
  stats.bytes_appended = counters_.bytes_appended;
  stats.disk_full = counters_.disk_full;
  for (const auto& shard : shards_) stats.commit_groups += shard->group_commit.groups();
  for (const auto& hosted : All()) {
    ++stats.partitions;
    if (!hosted->status.ok()) ++stats.failed_partitions;
  }
  return stats;
}

std::vector<ReplicaReport> ReplicaHost::Statuses() const {
  std::vector<ReplicaReport> reports;
  for (auto& hosted : All()) reports.push_back({.hosted = std::move(hosted), .status = {}});
  std::map<env::Executor*, std::vector<ReplicaReport*>> by_loop;
  for (ReplicaReport& report : reports) {
    if (report.hosted->replica != nullptr) by_loop[report.hosted->loop].push_back(&report);
  }
  WaitGroup asked(0);
  for (const auto& [loop, asks] : by_loop) {
    for (size_t i = 0; i < asks.size(); i += kStatusesAtOnce) {
      asked.Add(1);
      const std::span some = std::span(asks).subspan(i, std::min(kStatusesAtOnce, asks.size() - i));
      loop->Post([some, &asked] {
        for (ReplicaReport* report : some) report->status = report->hosted->replica->Status();
        asked.Arrive();
      });
    }
  }
  asked.Wait();
  return reports;
}

// ---- background, stop ----

void ReplicaHost::StartRetention() {
  for (auto& shard : shards_) {
    shard->executors.loop->Post([this, &shard = *shard] { ScheduleRetention(shard); });
  }
}

void ReplicaHost::ScheduleRetention(Shard& shard) {
  if (stopping_) return;
  shard.retention_timer =
      shard.executors.loop->PostAfter(options_.retention_interval_ms * 1'000'000, [this, &shard] {
        for (const auto& hosted : All()) {
          if (hosted->partition != nullptr && hosted->loop == shard.executors.loop) {
            hosted->partition->ApplyRetention();
          }
        }
        // A full disk that nobody writes to any more becomes known as usable again here.
        if (counters_.disk_full) {
          const auto free = dependencies_.fs->FreeBytes(options_.data_dir);
          if (free.ok() && *free > kReservedFreeBytes) counters_.disk_full = false;
        }
        ScheduleRetention(shard);
      });
}

void ReplicaHost::HandOver() {
  std::vector<std::shared_ptr<const HostedReplica>> led;
  for (const auto& hosted : All()) {
    if (hosted->replica != nullptr && hosted->replica->is_leader()) led.push_back(hosted);
  }
  if (led.empty()) return;
  WaitGroup running(led.size());
  for (const auto& hosted : led) {
    hosted->loop->Post([hosted, &running] { HandOverAndWait(hosted, kHandOverPolls, running); });
  }
  running.Wait();
}

void ReplicaHost::DropWaiting() {
  for (const auto& hosted : All()) {
    if (hosted->partition != nullptr) hosted->partition->DropWaiting();
  }
}

void ReplicaHost::Drain() {
  // Executors are queues: when each has run this, the tasks that were posted before, which may know
  // this host, are over.
  WaitGroup running(shards_.size());
  for (auto& shard : shards_) {
    const ShardExecutors& executors = shard->executors;
    env::Executor* const reader = executors.reader != nullptr ? executors.reader : executors.disk;
    reader->Post([&running, &executors] {
      executors.disk->Post(
          [&running, &executors] { executors.loop->Post([&running] { running.Arrive(); }); });
    });
  }
  running.Wait();
}

void ReplicaHost::Stop(const absl::Status& reason) {
  if (stopping_.exchange(true)) return;
  WaitGroup running(shards_.size() + 1);
  // Behind what the admin executor has begun, so that no replica appears any more.
  admin().Post([&] {
    const auto all = All();
    running.Add(all.size());
    for (const auto& hosted : all) {
      if (hosted->partition == nullptr) {
        running.Arrive();
      } else {
        // A log that could not be closed cleanly is recovered by the next start.
        hosted->partition->Stop(reason, [&running](const absl::Status&) { running.Arrive(); });
      }
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

}  // namespace cairn::broker
