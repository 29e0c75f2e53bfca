// A batch on its way: records while it is open, a request once it is sealed, callbacks until the
// end.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "cairn/producer.h"
#include "cairn/record.h"
#include "client/client_impl.h"
#include "log/records.h"

namespace cairn::logapi::v1 {
class ProduceRequest;
}

namespace cairn::client {

using SteadyTime = std::chrono::steady_clock::time_point;

// Owned by one PartitionSender and guarded by its mutex, except while it is being written: then the
// thread that writes may build the request.
class PendingBatch {
 public:
  PendingBatch(uint64_t number, SteadyTime opened, size_t reserve_bytes);
  ~PendingBatch();

  void Add(const Record& record, int64_t timestamp_ms, DeliveryCallback done);

  uint64_t number() const { return number_; }  // counts the batches of one partition
  SteadyTime opened() const { return opened_; }
  uint32_t record_count() const { return record_count_; }
  size_t size_bytes() const { return builder_.size_bytes(); }  // while open

  // Makes the request to send. The first call compresses the records; each sets the producer's
  // fields.
  void BuildRequest(const std::string& topic, int32_t partition, Codec codec,
                    const std::optional<ProducerIdentity>& identity);
  const logapi::v1::ProduceRequest& request() const { return *request_; }

  // Tells the callbacks what `outcome` and `base_offset` say. Once.
  void Deliver(const BatchCallback& on_batch, int32_t partition);

  // What PartitionSender knows about it.
  size_t budget_bytes = 0;     // taken from the BufferBudget
  absl::Status refusal;        // the last try's, when it was certainly not stored; else OK
  int tries = 0;               // how often it was sent
  int32_t base_sequence = -1;  // -1 until it is first sent
  absl::Status outcome;        // set with base_offset when it is over
  uint64_t base_offset = 0;

 private:
  const uint64_t number_;
  const SteadyTime opened_;
  uint32_t record_count_ = 0;
  log::BatchBuilder builder_;
  log::RecordView with_headers_;                                  // reused
  std::string traceparent_;                                       // of the first that has one
  std::vector<std::pair<uint32_t, DeliveryCallback>> callbacks_;  // by place in the batch
  std::unique_ptr<logapi::v1::ProduceRequest> request_;
};

}  // namespace cairn::client
