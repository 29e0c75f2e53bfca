#include "cluster/produce_codec.h"

#include <cstdint>

#include "base/bytes.h"
#include "base/strings.h"
#include "base/trace_context.h"

namespace cairn::cluster {
namespace {

using base::LoadLittleEndian;
using base::StoreLittleEndian;

enum : size_t {
  kGroupAt = 0,
  kExpectedAt = 8,
  kCountAt = 16,
  kCodecAt = 20,
  kBaseTimestampAt = 21,
  kMaxTimestampAt = 29,
  kProducerIdAt = 37,
  kEpochAt = 45,
  kSequenceAt = 47,
  kRecordsAt = 51,
};
constexpr uint64_t kNoExpectedOffset = UINT64_MAX;
constexpr uint8_t kTraced = 0x80;  // beside the codec: a trace context stands before the records

enum : size_t { kOffsetAt = 0, kTimestampAt = 8, kDuplicateAt = 16, kResultBytes = 17 };

}  // namespace

std::string Encode(const ForwardedProduce& produce) {
  const log::Batch& batch = produce.batch;
  std::string bytes;
  const bool traced = batch.trace.sampled && batch.trace.valid();
  const size_t header_bytes = kRecordsAt + (traced ? base::kTraceContextBytes : 0);
  bytes.reserve(header_bytes + batch.records.size());
  bytes.resize(header_bytes);
  char* const to = bytes.data();
  StoreLittleEndian<uint64_t>(to + kGroupAt, produce.group.value());
  StoreLittleEndian<uint64_t>(to + kExpectedAt, produce.expected_offset
                                                    ? produce.expected_offset->value()
                                                    : kNoExpectedOffset);
  StoreLittleEndian<uint32_t>(to + kCountAt, batch.record_count);
  StoreLittleEndian<uint8_t>(to + kCodecAt, static_cast<uint8_t>(static_cast<uint8_t>(batch.codec) |
                                                                 (traced ? kTraced : 0)));
  StoreLittleEndian<int64_t>(to + kBaseTimestampAt, batch.base_timestamp_ms);
  StoreLittleEndian<int64_t>(to + kMaxTimestampAt, batch.max_timestamp_ms);
  StoreLittleEndian<int64_t>(to + kProducerIdAt, batch.producer_id);
  StoreLittleEndian<int16_t>(to + kEpochAt, batch.producer_epoch);
  StoreLittleEndian<int32_t>(to + kSequenceAt, batch.base_sequence);
  if (traced) base::EncodeTraceContext(batch.trace, to + kRecordsAt);
  bytes += batch.records;
  return bytes;
}

absl::StatusOr<ForwardedProduce> DecodeForwardedProduce(std::string_view bytes) {
  if (bytes.size() < kRecordsAt) {
    return absl::InvalidArgumentError(
        base::StrCat("a forwarded produce request of ", bytes.size(), " bytes"));
  }
  const char* const from = bytes.data();
  ForwardedProduce produce;
  produce.group = GroupId(LoadLittleEndian<uint64_t>(from + kGroupAt));
  const auto expected = LoadLittleEndian<uint64_t>(from + kExpectedAt);
  if (expected != kNoExpectedOffset) produce.expected_offset = Offset(expected);
  log::Batch& batch = produce.batch;
  batch.record_count = LoadLittleEndian<uint32_t>(from + kCountAt);
  const auto codec_and_flag = LoadLittleEndian<uint8_t>(from + kCodecAt);
  const bool traced = (codec_and_flag & kTraced) != 0;
  const auto codec = static_cast<uint8_t>(codec_and_flag & ~kTraced);
  if (codec > static_cast<uint8_t>(log::Codec::kZstd)) {
    return absl::InvalidArgumentError(base::StrCat("unknown codec ", static_cast<int>(codec)));
  }
  batch.codec = static_cast<log::Codec>(codec);
  batch.base_timestamp_ms = LoadLittleEndian<int64_t>(from + kBaseTimestampAt);
  batch.max_timestamp_ms = LoadLittleEndian<int64_t>(from + kMaxTimestampAt);
  batch.producer_id = LoadLittleEndian<int64_t>(from + kProducerIdAt);
  batch.producer_epoch = LoadLittleEndian<int16_t>(from + kEpochAt);
  batch.base_sequence = LoadLittleEndian<int32_t>(from + kSequenceAt);
  bytes.remove_prefix(kRecordsAt);
  if (traced) {
    if (bytes.size() < base::kTraceContextBytes) {
      return absl::InvalidArgumentError("a forwarded produce request ends in its trace context");
    }
    const auto trace = base::DecodeTraceContext(bytes.substr(0, base::kTraceContextBytes));
    if (trace && trace->sampled) batch.trace = *trace;
    bytes.remove_prefix(base::kTraceContextBytes);
  }
  batch.records = bytes;
  return produce;
}

std::string Encode(const broker::ProduceResult& result) {
  std::string bytes(kResultBytes, '\0');
  StoreLittleEndian<uint64_t>(bytes.data() + kOffsetAt, result.base_offset.value());
  StoreLittleEndian<int64_t>(bytes.data() + kTimestampAt, result.timestamp_ms);
  bytes[kDuplicateAt] = result.duplicate ? 1 : 0;
  return bytes;
}

absl::StatusOr<broker::ProduceResult> DecodeProduceResult(std::string_view bytes) {
  if (bytes.size() != kResultBytes) {
    return absl::InvalidArgumentError(base::StrCat("a produce answer of ", bytes.size(), " bytes"));
  }
  broker::ProduceResult result;
  result.base_offset = Offset(LoadLittleEndian<uint64_t>(bytes.data() + kOffsetAt));
  result.timestamp_ms = LoadLittleEndian<int64_t>(bytes.data() + kTimestampAt);
  result.duplicate = bytes[kDuplicateAt] != 0;
  return result;
}

}  // namespace cairn::cluster
