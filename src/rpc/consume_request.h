// What a ConsumeRequest asks for, checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "base/types.h"
#include "log/v1/log.pb.h"

namespace cairn::rpc {

enum class ConsumeMode {
  kSingleRecord,  // field `record`: what the ancestor's clients know
  kRecords,       // field `records`
  kBatches,       // field `batches`
};

enum class StartAt { kOffset, kEarliest, kLatest, kTimestamp };

struct ConsumeInput {
  std::string topic;
  std::string requested_topic;  // as the request has it: "" for the default
  PartitionId partition;
  StartAt start = StartAt::kOffset;
  Offset offset;             // kOffset
  int64_t timestamp_ms = 0;  // kTimestamp
  ConsumeMode mode = ConsumeMode::kSingleRecord;
  size_t max_records = 1;  // of one response, in the mode kRecords
  size_t max_bytes = 0;    // of one response, about; 1 … kMaxResponseBytes
  bool stop_at_end = false;
  bool linearizable = false;  // ask the partition for a read barrier before anything is read
};

// Errors: INVALID_ARGUMENT for an unknown `start` or `consistency`, and for max_records with
// as_batches.
absl::StatusOr<ConsumeInput> ReadConsumeRequest(const logapi::v1::ConsumeRequest& request);

}  // namespace cairn::rpc
