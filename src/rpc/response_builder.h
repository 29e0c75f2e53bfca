// ResponseBuilder: turns fetched entries into serialized ConsumeResponses.
//
// In the mode kBatches a body goes from the tail cache or the read buffer to the socket without
// being copied here: the response is a chain of slices, of which those with the bodies point into
// the entries and keep them alive. In the record modes the records are decoded and written out one
// by one.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <deque>
#include <limits>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "broker/partition.h"
#include "log/records.h"
#include "log/v1/log.pb.h"
#include "rpc/consume_request.h"

namespace cairn::rpc {

// Thread-compatible.
class ResponseBuilder {
 public:
  // Records before `position` and, with `end`, at or behind it are left out (of whole batches only
  // those that lie outside altogether).
  ResponseBuilder(ConsumeMode mode, size_t max_records, size_t max_bytes, Offset position,
                  std::optional<Offset> end);

  // Queues what a fetch brought.
  void Add(broker::FetchResult fetched);

  // Tells the partition what has been built since the last time: keys, values and headers, or whole
  // batches. Returns how many records that were.
  uint64_t CountConsumed(broker::Partition& partition);

  // Whether everything added has been built into responses.
  bool empty() const { return entries_.empty(); }

  // The offset behind the last record that was built.
  Offset position() const { return position_; }

  // Appends responses to `out` until about max_bytes are built, the entries are used up, or `out`
  // has grown by `max_responses`. Works entry by entry, so that compressed entries are not all
  // expanded at once; what is left is built by the next call. With max_responses, what remains of
  // the current entry is dropped. Errors: DATA_LOSS when an entry's body is no records section.
  absl::Status Build(std::deque<grpc::ByteBuffer>& out,
                     size_t max_responses = std::numeric_limits<size_t>::max());

  // A response without records, which tells where the log starts and ends.
  grpc::ByteBuffer EmptyResponse();

 private:
  void BuildBatches(std::deque<grpc::ByteBuffer>& out);
  absl::Status BuildRecords(const log::Entry& entry, std::deque<grpc::ByteBuffer>& out,
                            size_t stop_at, size_t& built_bytes);
  void Flush(std::deque<grpc::ByteBuffer>& out);
  void SetPositions();

  const ConsumeMode mode_;
  const size_t max_records_;
  const size_t max_bytes_;
  Offset position_;
  const std::optional<Offset> end_;

  std::deque<log::Entry> entries_;
  Offset log_start_;
  Offset high_watermark_;

  // Reused: protobuf keeps the memory of cleared messages.
  logapi::v1::ConsumeResponse response_;
  size_t response_bytes_ = 0;
  uint64_t counted_records_ = 0;
  uint64_t counted_bytes_ = 0;
  log::RecordView record_;
  std::string scratch_;
};

}  // namespace cairn::rpc
