// PartitionSender: the records of one producer for one partition, from Produce to acknowledgement.
//
// Sits between Producer and ProduceStream. Batches move along
//
//     open -> queue (sealed) -> sent on the stream -> acknowledged | failed
//                   ^               |
//                   +--- retry -----+   connection lost, or the broker is busy, full, not the
//                   leader
//
// Thread-safe: callers of Produce, the producer's timer thread and gRPC's threads meet here under
// one mutex, which is never held while gRPC encodes or a callback runs.
//
// The stream goes to the partition's leader, as far as the client knows. When that is another node
// than before, what is under way is answered first; then the stream moves (moving_).
//
// Invariants: the first sent_ batches of queue_ are those of the stream without an answer, in the
// order of the answers. With idempotence, sequences in queue_ are consecutive, and a batch keeps
// its sequence for as long as the broker may have stored it. While draining_, nothing is sent: the
// answers to what is under way come first, then everything that has to be repeated is sent again in
// its order.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "base/mutex.h"
#include "cairn/producer.h"
#include "client/buffer_budget.h"
#include "client/client_impl.h"
#include "client/pending_batch.h"
#include "client/produce_stream.h"

namespace cairn::client {

// What the senders of one producer share. Outlives them and their streams. Thread-safe.
struct SenderContext {
  SenderContext(std::shared_ptr<Client> its_client, ProducerOptions its_options,
                int32_t its_partition_count)
      : client(std::move(its_client)),
        options(std::move(its_options)),
        partition_count(its_partition_count),
        budget(options.buffer_bytes) {}

  const std::shared_ptr<Client> client;
  const ProducerOptions options;
  const int32_t partition_count;
  BufferBudget budget;
  const std::shared_ptr<OpenCalls> open_calls = std::make_shared<OpenCalls>();

  // The partition that records without a key go to, until a batch of it is closed.
  std::atomic<int32_t> sticky_partition = 0;

  // The timer thread sleeps until `timer_wakes_at` (steady clock); `max` while it is awake.
  std::atomic<SteadyTime> timer_wakes_at = SteadyTime::max();
  base::Mutex timer_mutex;
  base::CondVar timer_alarm;
  bool timer_called CAIRN_GUARDED_BY(timer_mutex) = false;
  bool timer_stops CAIRN_GUARDED_BY(timer_mutex) = false;

  // Taken before a sender's mutex, never inside it.
  base::Mutex settled_mutex;
  base::CondVar settled;  // a batch was delivered, or a stream closed
  absl::Status first_failure CAIRN_GUARDED_BY(settled_mutex);  // since the last Flush

  // Makes the timer thread look again by `when`. Cheap when it would anyway.
  void WakeTimerBy(SteadyTime when);
  void NotifySettled();
};

class PartitionSender final : public ProduceStream::Handler {
 public:
  // `identity` is nullopt without idempotence. `batch_bytes` is within the topic's limit.
  PartitionSender(SenderContext& context, int32_t partition,
                  std::optional<ProducerIdentity> identity, size_t batch_bytes);

  // Adds a record, of at most `encoded_bytes`.
  // Errors: RESOURCE_EXHAUSTED, FAILED_PRECONDITION; as Producer::Produce.
  absl::Status Produce(const Record& record, size_t encoded_bytes, int64_t timestamp_ms,
                       DeliveryCallback done);

  // Seals the open batch, to be sent now. Returns the number behind the last batch there is.
  uint64_t Seal();
  // Whether every batch below `number` was delivered, callbacks included.
  bool DeliveredBelow(uint64_t number);

  // Does what is due; returns when to be called next. By the timer thread.
  SteadyTime Tick(SteadyTime now);

  // Half-closes the stream, if there is one: the broker ends it when all is answered. Nothing is
  // sent any more.
  void FinishStream();
  bool StreamClosed();
  // Fails everything with `status` and breaks the stream. Nothing is accepted or sent afterwards.
  void Abandon(const absl::Status& status);

  void OnWritten(bool ok) override;
  void OnResponse(const logapi::v1::ProduceResponse& response) override;
  void OnBroken() override;
  void OnClosed(absl::Status status) override;

 private:
  using BatchPtr = std::shared_ptr<PendingBatch>;  // shared with the write under way

  // Sends what may be sent now, and opens the stream for it. Called without the mutex.
  void Pump();
  // The next batch to write with its write announced, or null.
  BatchPtr NextToWrite() CAIRN_REQUIRES(mutex_);
  // Whether the stream should go to another node.
  bool ShouldMove() CAIRN_REQUIRES(mutex_);
  void MoveIfAnswered() CAIRN_REQUIRES(mutex_);
  ProduceStream* StreamToFinish() CAIRN_REQUIRES(mutex_);
  void SealLocked() CAIRN_REQUIRES(mutex_);
  SteadyTime DeliveryDeadline(const PendingBatch& batch) const;

  // An answer or a failure of the batch at the head of those sent.
  void Acknowledge(uint64_t base_offset) CAIRN_REQUIRES(mutex_);
  void Refuse(const absl::Status& status) CAIRN_REQUIRES(mutex_);
  void Over(BatchPtr batch, absl::Status status, uint64_t base_offset) CAIRN_REQUIRES(mutex_);
  // Once all that was sent is answered: puts what has to be repeated back into the queue.
  void EndDrainIfAnswered() CAIRN_REQUIRES(mutex_);
  void Requeue() CAIRN_REQUIRES(mutex_);
  void FailExpired(SteadyTime now) CAIRN_REQUIRES(mutex_);
  void PauseLocked() CAIRN_REQUIRES(mutex_);
  void FailAll(const absl::Status& status) CAIRN_REQUIRES(mutex_);
  // Starts sequences anew: a batch whose sequence the broker has not stored is never coming.
  void NewEpoch() CAIRN_REQUIRES(mutex_);
  // Calls the callbacks of what is over, in order, one thread at a time. Called without the mutex.
  void DeliverOver();

  SenderContext& context_;
  const int32_t partition_;
  const size_t batch_bytes_;

  base::Mutex mutex_;
  std::optional<ProducerIdentity> identity_ CAIRN_GUARDED_BY(mutex_);
  int32_t next_sequence_ CAIRN_GUARDED_BY(mutex_) = 0;
  bool needs_epoch_ CAIRN_GUARDED_BY(mutex_) = false;

  BatchPtr open_ CAIRN_GUARDED_BY(mutex_);
  std::deque<BatchPtr> queue_ CAIRN_GUARDED_BY(mutex_);
  size_t sent_ CAIRN_GUARDED_BY(mutex_) = 0;
  std::deque<BatchPtr> retry_ CAIRN_GUARDED_BY(mutex_);
  std::deque<BatchPtr> over_ CAIRN_GUARDED_BY(mutex_);  // waiting for their callbacks
  bool delivering_ CAIRN_GUARDED_BY(mutex_) = false;
  uint64_t next_number_ CAIRN_GUARDED_BY(mutex_) = 0;
  size_t last_batch_bytes_ CAIRN_GUARDED_BY(mutex_) = 0;

  ProduceStream* stream_ CAIRN_GUARDED_BY(mutex_) = nullptr;
  std::string stream_address_ CAIRN_GUARDED_BY(mutex_);
  bool answered_ CAIRN_GUARDED_BY(mutex_) = false;  // the stream has stored something
  SteadyTime looked_at_ CAIRN_GUARDED_BY(mutex_) = SteadyTime::min();  // who leads
  bool moving_ CAIRN_GUARDED_BY(mutex_) =
      false;  // the stream ends when all it was sent is answered
  bool broken_ CAIRN_GUARDED_BY(mutex_) = false;  // the stream takes no writes any more
  bool draining_ CAIRN_GUARDED_BY(mutex_) = false;
  bool expiring_ CAIRN_GUARDED_BY(mutex_) = false;  // we cancel the stream to fail what is overdue
  bool finishing_ CAIRN_GUARDED_BY(mutex_) = false;
  bool finished_ CAIRN_GUARDED_BY(mutex_) = false;  // half-closed
  BatchPtr writing_ CAIRN_GUARDED_BY(mutex_);       // kept until gRPC lets go of its request
  bool write_busy_ CAIRN_GUARDED_BY(mutex_) = false;
  int failures_ CAIRN_GUARDED_BY(mutex_) = 0;                     // since the last acknowledgement
  std::optional<SteadyTime> resume_at_ CAIRN_GUARDED_BY(mutex_);  // nothing is sent before
  absl::Status last_error_ CAIRN_GUARDED_BY(mutex_);              // why batches wait
  bool abandoned_ CAIRN_GUARDED_BY(mutex_) = false;
};

// Whether the calling thread is inside a callback of a producer.
bool InsideCallback();

}  // namespace cairn::client
