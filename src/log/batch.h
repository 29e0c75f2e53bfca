// A batch: records appended together; the unit of storage, of replication and of compression.
#pragma once

#include <cstdint>
#include <string>

#include "base/trace_context.h"

namespace cairn::log {

// How a batch's records section is compressed. The numbers are Kafka's; gzip (1) and snappy (2) are
// reserved and refused.
enum class Codec : uint8_t { kNone = 0, kGzip = 1, kSnappy = 2, kLz4 = 3, kZstd = 4 };

inline constexpr int64_t kNoProducerId = -1;
inline constexpr int16_t kNoProducerEpoch = -1;
inline constexpr int32_t kNoSequence = -1;

// A batch that has no place in a log yet. `records` is the records section (records.h), compressed
// as a whole by `codec`. Timestamps are milliseconds since the Unix epoch; each record's own is a
// delta to base_timestamp_ms.
struct Batch {
  std::string records;
  uint32_t record_count = 0;
  Codec codec = Codec::kNone;
  int64_t base_timestamp_ms = 0;
  int64_t max_timestamp_ms = 0;
  // Idempotence: all three set, or none. base_sequence is the sequence of the first record; the
  // batch covers [base_sequence, base_sequence + record_count), wrapping from 2^31-1 to 0.
  int64_t producer_id = kNoProducerId;
  int16_t producer_epoch = kNoProducerEpoch;
  int32_t base_sequence = kNoSequence;
  // Whose work it is, when that is traced: sampled, or nothing. Never stored.
  base::TraceContext trace = {};
};

}  // namespace cairn::log
