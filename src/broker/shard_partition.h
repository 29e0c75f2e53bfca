// ShardPartition: a partition as its shard owns it: checks what producers send, hands it to the
// replica, answers when it is committed, wakes the readers at the tail.
//
// The public half (Partition) is thread-safe; everything private runs on the shard's loop, but for
// what is marked. Lives in a shared_ptr because streams outlive a deleted topic.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "base/mutex.h"
#include "broker/node_counters.h"
#include "broker/partition.h"
#include "broker/producer_states.h"
#include "broker/topic.h"
#include "consensus/replica.h"
#include "env/clock.h"
#include "env/executor.h"
#include "env/file_system.h"

namespace cairn::broker {

class ShardPartition final : public Partition,
                             public consensus::Replica::Owner,
                             public std::enable_shared_from_this<ShardPartition> {
 public:
  struct Dependencies {
    env::FileSystem* fs;
    env::Clock* clock;
    env::Executor* loop;
    NodeCounters* counters;
    uint64_t max_inflight_bytes;
  };

  // `states` are those at the end of the log. The replica is set before anything else is called.
  ShardPartition(Dependencies dependencies, TopicSettings settings, ProducerStates states);
  void SetReplica(std::shared_ptr<consensus::Replica> replica);

  void Produce(log::Batch batch, std::optional<Offset> expected_offset,
               ProduceCallback done) override;
  void PostBehindAnswers(absl::AnyInvocable<void()> task) override {
    dependencies_.loop->Post(std::move(task));
  }
  Offset log_start() const override;
  Offset high_watermark() const override;
  absl::StatusOr<FetchResult> Fetch(Offset from, size_t max_bytes) override;
  absl::StatusOr<Offset> OffsetForTimestamp(int64_t timestamp_ms) override;
  WaitId WaitForData(Offset from, WaitCallback ready) override;
  void CancelWait(WaitId wait) override;

  // Any thread.
  void ChangeSettings(const TopicSettings& settings);
  // Deletes what the topic's retention lets go. Any thread.
  void ApplyRetention();
  // Answers everything that was accepted, refuses the rest with `reason`, closes the log; then
  // `done`, on the loop. Any thread; once.
  void Stop(absl::Status reason, absl::AnyInvocable<void(absl::Status)> done);

  void OnCommitted(Offset high_watermark) override;
  void OnRejected(Offset from, const absl::Status& error) override;

 private:
  // A request that has not been answered: an error, or what to say once `until` is committed.
  struct Waiter {
    Offset until;
    absl::StatusOr<ProduceResult> result;
    uint64_t bytes = 0;  // taken from the node's budget
    ProduceCallback done;
  };

  absl::Status CheckRequest(const log::Batch& batch, int64_t now_ms) const;  // any thread
  absl::Status CheckOpen() const;                                            // any thread
  TopicSettings settings() const;                                            // any thread
  absl::Status OffsetOutOfRange(Offset asked) const;
  void Accept(log::Batch batch, std::optional<Offset> expected_offset, Waiter waiter);
  absl::StatusOr<Offset> Place(log::Batch batch, std::optional<Offset> expected_offset,
                               Waiter& waiter);
  void Answer();
  void WakeReaders();
  void MaybeSnapshotProducers(bool now);

  const Dependencies dependencies_;
  std::shared_ptr<consensus::Replica> replica_;
  std::atomic<uint64_t> high_watermark_{0};
  std::atomic<WaitId> next_wait_{1};

  mutable base::Mutex mutex_;
  TopicSettings settings_ CAIRN_GUARDED_BY(mutex_);
  absl::Status closed_ CAIRN_GUARDED_BY(mutex_);  // why new work is refused; OK while open

  ProducerStates states_;
  Offset noted_offset_;                       // states_ cover everything below
  std::deque<log::EntryHeader> uncommitted_;  // proposed, not committed: to take back from states_
  std::deque<Waiter> waiters_;                // in the order of the calls
  bool answering_ = false;
  std::map<std::pair<Offset, WaitId>, WaitCallback> readers_;
  absl::flat_hash_map<WaitId, Offset> reader_offsets_;
  uint64_t bytes_since_snapshot_ = 0;
};

}  // namespace cairn::broker
