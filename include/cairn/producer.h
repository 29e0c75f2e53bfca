// A producer: appends records to one topic, asynchronously, in batches, each stored exactly once.
//
//   auto producer = cairn::Producer::Create(client, {.topic = "greetings"});
//   (*producer)->Produce({.value = "hello"}, [](const absl::StatusOr<cairn::Delivery>& delivery) {
//   ... }); absl::Status all_on_disk = (*producer)->Flush();
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cairn/client.h"
#include "cairn/export.h"
#include "cairn/record.h"

namespace cairn {

// Where an acknowledged record is. It is on disk.
struct Delivery {
  int32_t partition = 0;
  uint64_t offset = 0;
};

// What became of the records of one batch, which were produced one after the other.
struct BatchDelivery {
  absl::Status status = {};
  int32_t partition = 0;
  uint64_t base_offset = 0;  // of the first record, when status is OK; the others follow densely
  uint32_t record_count = 0;
  int64_t latency_us = 0;  // from the first record's Produce to the acknowledgement
};

using DeliveryCallback = std::function<void(const absl::StatusOr<Delivery>&)>;
using BatchCallback = std::function<void(const BatchDelivery&)>;

enum class Partitioning {
  kKeyHash,  // equal keys go to the same partition; records without a key go round, batch by batch
  kRoundRobin,  // round, batch by batch, also with keys
  kFixed,       // ProducerOptions::partition
};

enum class WhenFull {
  kBlock,  // Produce waits until there is room
  kFail,   // Produce returns RESOURCE_EXHAUSTED
};

struct ProducerOptions {
  std::string topic = {};
  Partitioning partitioning = Partitioning::kKeyHash;
  int32_t partition = 0;
  Codec codec = Codec::kNone;
  // How long a record may wait for others to share its batch. 0 sends at once while fewer than
  // max_in_flight batches are under way; what is produced meanwhile shares the next one.
  int64_t linger_ms = 5;
  // A batch is sent when it is this large; capped by the topic's limit.
  size_t batch_bytes = 256 << 10;
  // Batches sent and not acknowledged, per partition: 1 … 256.
  int max_in_flight = 16;
  // Memory for records that were not acknowledged yet, of all partitions together.
  size_t buffer_bytes = 64 << 20;
  WhenFull when_full = WhenFull::kBlock;
  // Stores each record once, in the order of the Produce calls, however often a batch has to be
  // sent again. Without it a retry can store twice and change the order.
  bool idempotent = true;
  // A record that is not acknowledged by then fails with DEADLINE_EXCEEDED; it may be stored or
  // not.
  int64_t delivery_timeout_ms = 120'000;
  // Called once per batch, before the callbacks of its records.
  BatchCallback on_batch = {};
};

// Thread-safe. Records that one thread produces to one partition keep their order. Callbacks run on
// threads of the library, in the order of the records of a partition; they should return soon.
// Produce inside a callback never blocks: it fails with RESOURCE_EXHAUSTED instead.
class CAIRN_EXPORT Producer {
 public:
  // Asks a broker for the topic's partitions and for a producer id; blocks up to the client's
  // timeout_ms. Errors: NOT_FOUND (UNKNOWN_TOPIC, UNKNOWN_PARTITION), INVALID_ARGUMENT naming an
  // option out of its range, UNAVAILABLE or DEADLINE_EXCEEDED when no broker answers.
  static absl::StatusOr<std::unique_ptr<Producer>> Create(std::shared_ptr<Client> client,
                                                          ProducerOptions options);

  // Records that were not acknowledged fail with CANCELLED: call Flush or Close first. Not inside a
  // callback.
  ~Producer();
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  // Takes the record; `done` hears what became of it, exactly once. When Produce itself returns an
  // error the record was not taken and `done` is not called. Errors: INVALID_ARGUMENT
  // (RECORD_TOO_LARGE), RESOURCE_EXHAUSTED (see WhenFull), FAILED_PRECONDITION after Close.
  absl::Status Produce(const Record& record);
  absl::Status Produce(const Record& record, DeliveryCallback done);

  // Sends what lingers and waits until every record taken before is acknowledged or has failed, and
  // its callback has returned. OK when none failed since the last Flush; else the first failure.
  // DEADLINE_EXCEEDED after timeout_ms (-1 waits without end; delivery_timeout_ms bounds it). Not
  // inside a callback.
  absl::Status Flush(int64_t timeout_ms = -1);

  // Flush, then closes the streams; the producer takes nothing any more. Idempotent.
  absl::Status Close(int64_t timeout_ms = -1);

  int32_t partition_count() const;

 private:
  class Impl;
  explicit Producer(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace cairn
