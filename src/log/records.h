// The records section of a batch: records one behind the other in the layout of Kafka's record
// batch v2 (https://kafka.apache.org/documentation/#record), docs/formats/store.md section
// "Records":
//
//   record = length:varint attributes:int8(0) timestamp_delta:varint offset_delta:varint
//            key:bytes value:bytes header_count:varint { name:bytes value:bytes }
//   bytes  = length:varint(-1 = null) octets
//
// `length` counts the bytes behind itself; offset_delta counts 0, 1, 2, … within the batch.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "log/batch.h"

namespace cairn::log {

struct HeaderView {
  std::string_view name;
  std::optional<std::string_view> value;

  friend bool operator==(const HeaderView&, const HeaderView&) = default;
};

// One record. The views borrow from the caller's bytes or the section it was read from.
struct RecordView {
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  std::vector<HeaderView> headers;
  int64_t timestamp_ms = 0;
};

// Builds the records of one batch, uncompressed. Thread-compatible.
class BatchBuilder {
 public:
  // Appends a record; the first one fixes the base timestamp.
  void Add(const RecordView& record);
  // The same for a record without headers, without building a RecordView.
  void Add(std::optional<std::string_view> key, std::optional<std::string_view> value,
           int64_t timestamp_ms);

  uint32_t record_count() const { return batch_.record_count; }
  size_t size_bytes() const { return batch_.records.size(); }
  bool empty() const { return batch_.record_count == 0; }
  void Reserve(size_t bytes) { batch_.records.reserve(bytes); }

  // The batch (without producer fields), leaving the builder empty.
  Batch Take();

 private:
  Batch batch_;
};

// Upper bound of the bytes that Add writes for a record with these sizes and no headers.
size_t MaxEncodedRecordSize(size_t key_bytes, size_t value_bytes);

// Walks an uncompressed records section. Thread-compatible; `records` outlives the reader and its
// views.
class RecordsReader {
 public:
  RecordsReader(std::string_view records, int64_t base_timestamp_ms)
      : rest_(records), base_timestamp_ms_(base_timestamp_ms) {}

  // Reads the next record into `record` (reusing its vector). False at the end of the section.
  // Errors: DATA_LOSS naming the byte position when the bytes are not a record.
  absl::StatusOr<bool> Next(RecordView& record);

  // As Next, without headers and without building anything: key and value only. The fast path of
  // replay.
  absl::StatusOr<bool> NextValue(std::optional<std::string_view>& key,
                                 std::optional<std::string_view>& value, int64_t& timestamp_ms);

 private:
  absl::Status Malformed(std::string_view what) const;

  std::string_view rest_;
  int64_t base_timestamp_ms_;
  size_t consumed_ = 0;
};

struct BatchLimits {
  uint64_t max_record_bytes = 1 << 20;  // key + value + headers of one record
  uint64_t max_batch_bytes = 8 << 20;   // the records section as sent, and uncompressed
  uint32_t max_records = 1 << 20;
  uint32_t max_headers_per_record = 1 << 10;
};

// Whether `batch` may be stored: every byte of the (decompressed) section belongs to one of
// record_count well-formed records with offset deltas 0, 1, 2, …; the timestamps agree with base
// and max; limits hold; producer fields are all set or none. Errors: INVALID_ARGUMENT with reason
// EMPTY_BATCH, RECORD_TOO_LARGE, BATCH_TOO_LARGE or MALFORMED_BATCH, naming limit and size or the
// position of the first bad byte.
absl::Status ValidateBatch(const Batch& batch, const BatchLimits& limits);

}  // namespace cairn::log
