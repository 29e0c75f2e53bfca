// ShardPartition: a partition as its shard owns it: checks what producers send, hands it to the
// replica, answers when it is committed, wakes the readers at the tail.
//
// The public half (Partition) is thread-safe; everything private runs on the shard's loop, but for
// what is marked. Lives in a shared_ptr because streams outlive a deleted topic.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/lazy_deque.h"
#include "base/mutex.h"
#include "broker/node_counters.h"
#include "broker/partition.h"
#include "broker/producer_snapshot.h"
#include "broker/producer_states.h"
#include "broker/topic.h"
#include "consensus/replica.h"
#include "env/clock.h"
#include "env/executor.h"
#include "env/file_system.h"
#include "telemetry/tracer.h"

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
    // Told who leads, on the loop; 0 for nobody. May be empty.
    std::function<void(NodeId leader)> on_leader = {};
    telemetry::Tracer* tracer = nullptr;  // null: nothing is traced
  };

  // `producers` are those of the replica's log, of which nothing is committed that the replica does
  // not say is. The replica is set before anything else is called.
  ShardPartition(Dependencies dependencies, TopicSettings settings, LoadedProducers producers);
  void SetReplica(std::shared_ptr<consensus::Replica> replica);

  void Produce(log::Batch batch, std::optional<Offset> expected_offset,
               ProduceCallback done) override;
  void PostBehindAnswers(absl::AnyInvocable<void()> task) override {
    dependencies_.loop->Post(std::move(task));
  }
  Offset log_start() const override;
  Offset high_watermark() const override;
  absl::StatusOr<FetchResult> Fetch(Offset from, size_t max_bytes) override;
  void CountConsumed(uint64_t records, uint64_t bytes) override;
  absl::StatusOr<Offset> OffsetForTimestamp(int64_t timestamp_ms) override;
  WaitId WaitForData(Offset from, WaitCallback ready) override;
  void CancelWait(WaitId wait) override;
  void ReadBarrier(absl::AnyInvocable<void(absl::Status)> done) override;

  // Any thread.
  const PartitionCounters& counters() const { return counters_; }
  void ChangeSettings(const TopicSettings& settings);
  // Deletes what the topic's retention lets go. Any thread.
  void ApplyRetention();
  // Answers everything that was accepted, refuses the rest with `reason`, closes the log; then
  // `done`, on the loop. Any thread; once.
  void Stop(absl::Status reason, absl::AnyInvocable<void(absl::Status)> done);

  // As consensus::Replica::DropWaiting.
  void DropWaiting();

  void OnCommitted(Offset high_watermark) override;
  void OnAppended(std::span<const log::Entry> batches) override;
  void OnTruncated(Offset from) override;
  void OnAbandoned(const absl::Status& error) override;
  BeforeReset OnReset(Offset start, const std::string& state) override;
  // The states of the producers, as far as they are committed: also of batches that retention has
  // removed.
  std::string SnapshotState() override;
  void OnLeader(NodeId leader) override;

 private:
  // Whether it is proven that this node leads: empty until the answer has come.
  using Proof = std::shared_ptr<std::optional<absl::Status>>;
  // A request that has not been answered: an error, or what to say once `until` is committed.
  struct Waiter {
    Offset until;
    absl::StatusOr<ProduceResult> result;
    uint64_t bytes = 0;  // taken from the node's budget
    uint32_t records = 0;
    int64_t start_ns = 0;
    // Set while it is being proven that this node leads; shared with who waits for the proof.
    Proof proof;
    ProduceCallback done;
  };

  struct Request {
    log::Batch batch;
    std::optional<Offset> expected_offset;
    Waiter waiter;
  };

  absl::Status CheckRequest(const log::Batch& batch, int64_t now_ms) const;  // any thread
  absl::Status CheckOpen() const;                                            // any thread
  TopicSettings settings() const;                                            // any thread
  absl::Status OffsetOutOfRange(Offset asked) const;
  void Accept(Request request);
  void PlaceGathered();
  void PlaceSoon();
  void Settle(Request& request);
  absl::StatusOr<Offset> Place(Request& request);
  void TraceWait(const base::TraceContext& trace, int64_t start_ns) const;
  void Fail(Offset from, const absl::Status& error);
  void Answer();
  void Count(const Waiter& waiter, int64_t now_ns);
  void WakeReaders();
  void MaybeSnapshotProducers(bool now);

  const Dependencies dependencies_;
  std::shared_ptr<consensus::Replica> replica_;
  std::atomic<uint64_t> high_watermark_{0};
  std::atomic<WaitId> next_wait_{1};
  PartitionCounters counters_;

  mutable base::Mutex mutex_;
  TopicSettings settings_ CAIRN_GUARDED_BY(mutex_);
  absl::Status closed_ CAIRN_GUARDED_BY(mutex_);  // why new work is refused; OK while open

  ProducerStates states_;
  base::LazyDeque<log::EntryHeader> uncommitted_;  // in states_, not committed: may be taken back
  Offset states_end_;              // batches below came with states_, and are not noted again
  Offset counted_offset_;          // batches from here on are new, for the counters
  std::vector<Request> gathered_;  // not proposed yet, in the order of the calls
  uint64_t gathered_bytes_ = 0;
  bool placing_soon_ = false;        // PlaceGathered is posted
  base::LazyDeque<Offset> waves_;    // where each that was proposed and is not committed ends
  base::LazyDeque<Waiter> waiters_;  // in the order of the calls
  bool answering_ = false;
  std::map<std::pair<Offset, WaitId>, WaitCallback> readers_;
  absl::flat_hash_map<WaitId, Offset> reader_offsets_;
  uint64_t bytes_since_snapshot_ = 0;
};

}  // namespace cairn::broker
