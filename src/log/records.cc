#include "log/records.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/bytes.h"
#include "base/error_info.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "log/compression.h"

namespace cairn::log {
namespace {

using base::DecodeVarint;
using base::EncodeVarint;
using base::VarintSize;

// Attributes, timestamp delta, offset delta, key length, value length, header count, and the
// record's length.
constexpr size_t kMaxRecordOverhead = 1 + 6 * base::kMaxVarintBytes;

size_t NullableSize(const std::optional<std::string_view>& bytes) {
  return bytes
             ? static_cast<size_t>(VarintSize(static_cast<int64_t>(bytes->size()))) + bytes->size()
             : static_cast<size_t>(VarintSize(-1));
}

void AppendVarint(std::string& out, int64_t value) {
  char buffer[base::kMaxVarintBytes];
  out.append(buffer, static_cast<size_t>(EncodeVarint(buffer, value) - buffer));
}

void AppendNullable(std::string& out, const std::optional<std::string_view>& bytes) {
  AppendVarint(out, bytes ? static_cast<int64_t>(bytes->size()) : -1);
  if (bytes) out.append(*bytes);
}

// Grows by doubling, so that a caller who did not Reserve pays amortised constant time.
void EnsureRoom(std::string& out, size_t more) {
  const size_t needed = out.size() + more;
  if (needed > out.capacity()) out.reserve(std::max(needed, out.capacity() * 2));
}

// The fields of one record as they stand in the section. `headers` are the undecoded bytes of the
// headers.
struct RawRecord {
  int64_t timestamp_delta = 0;
  int64_t offset_delta = 0;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  int64_t header_count = 0;
  std::string_view headers;
};

// Reads a nullable byte string from [from, end). Returns the first byte behind it, or nullptr.
const char* TakeNullable(const char* from, const char* end,
                         std::optional<std::string_view>& bytes) {
  int64_t length = 0;
  from = DecodeVarint(from, end, length);
  if (from == nullptr || length < -1 || length > end - from) return nullptr;
  if (length < 0) {
    bytes.reset();
    return from;
  }
  bytes.emplace(from, static_cast<size_t>(length));
  return from + length;
}

// Reads one record from `rest` and removes it. False when the bytes are not a record.
inline bool TakeRecord(std::string_view& rest, RawRecord& record) {
  const char* at = rest.data();
  const char* end = at + rest.size();
  int64_t length = 0;
  at = DecodeVarint(at, end, length);
  if (at == nullptr || length < 1 || length > end - at) return false;
  end = at + length;
  if (*at++ != 0) return false;  // attributes: no bit has a meaning
  if ((at = DecodeVarint(at, end, record.timestamp_delta)) == nullptr) return false;
  if ((at = DecodeVarint(at, end, record.offset_delta)) == nullptr) return false;
  if ((at = TakeNullable(at, end, record.key)) == nullptr) return false;
  if ((at = TakeNullable(at, end, record.value)) == nullptr) return false;
  if ((at = DecodeVarint(at, end, record.header_count)) == nullptr) return false;
  if (record.header_count < 0) return false;
  record.headers = std::string_view(at, static_cast<size_t>(end - at));
  rest.remove_prefix(static_cast<size_t>(end - rest.data()));
  return true;
}

// Reads one header from `rest` and removes it.
bool TakeHeader(std::string_view& rest, HeaderView& header) {
  const char* end = rest.data() + rest.size();
  std::optional<std::string_view> name;
  const char* at = TakeNullable(rest.data(), end, name);
  if (at == nullptr || !name) return false;
  if ((at = TakeNullable(at, end, header.value)) == nullptr) return false;
  header.name = *name;
  rest.remove_prefix(static_cast<size_t>(at - rest.data()));
  return true;
}

absl::Status Refuse(std::string_view why, std::string_view reason) {
  return base::MakeError(absl::StatusCode::kInvalidArgument, why, reason);
}

absl::Status RefuseSize(std::string_view what, uint64_t size, uint64_t limit,
                        std::string_view reason) {
  return base::MakeError(
      absl::StatusCode::kInvalidArgument,
      base::StrCat(what, " of ", size, " bytes is over the limit of ", limit, " bytes"), reason,
      {{"size_bytes", base::StrCat(size)}, {"limit_bytes", base::StrCat(limit)}});
}

absl::Status ValidateProducer(const Batch& batch) {
  const bool none = batch.producer_id == kNoProducerId &&
                    batch.producer_epoch == kNoProducerEpoch && batch.base_sequence == kNoSequence;
  const bool all = batch.producer_id >= 0 && batch.producer_epoch >= 0 && batch.base_sequence >= 0;
  if (none || all) return absl::OkStatus();
  return Refuse(
      base::StrCat("producer id ", batch.producer_id, ", epoch ", batch.producer_epoch,
                   " and sequence ", batch.base_sequence, " must all be >= 0, or all be absent"),
      base::reason::kMalformedBatch);
}

// One record against the limits; `index` is its place in the batch.
absl::Status ValidateRecord(const RawRecord& record, uint32_t index, const Batch& batch,
                            const BatchLimits& limits, int64_t& max_timestamp) {
  const auto malformed = [&](std::string_view why) {
    return Refuse(base::StrCat("record ", index, " of the batch: ", why),
                  base::reason::kMalformedBatch);
  };
  if (record.offset_delta != index) {
    return malformed(base::StrCat("offset delta is ", record.offset_delta, ", expected ", index));
  }
  int64_t timestamp = 0;
  if (__builtin_add_overflow(batch.base_timestamp_ms, record.timestamp_delta, &timestamp)) {
    return malformed("the timestamp overflows");
  }
  max_timestamp = std::max(max_timestamp, timestamp);
  const uint64_t size = (record.key ? record.key->size() : 0) +
                        (record.value ? record.value->size() : 0) + record.headers.size();
  if (size > limits.max_record_bytes) {
    return RefuseSize("a record", size, limits.max_record_bytes, base::reason::kRecordTooLarge);
  }
  if (record.header_count > limits.max_headers_per_record) {
    return malformed(base::StrCat(record.header_count, " headers are over the limit of ",
                                  limits.max_headers_per_record));
  }
  std::string_view headers = record.headers;
  HeaderView header;
  for (int64_t i = 0; i < record.header_count; ++i) {
    if (!TakeHeader(headers, header)) return malformed("a header is cut short");
  }
  if (!headers.empty()) return malformed("bytes are left over behind the headers");
  return absl::OkStatus();
}

}  // namespace

size_t MaxEncodedRecordSize(size_t key_bytes, size_t value_bytes) {
  return kMaxRecordOverhead + key_bytes + value_bytes;
}

void BatchBuilder::Add(std::optional<std::string_view> key, std::optional<std::string_view> value,
                       int64_t timestamp_ms) {
  if (batch_.record_count == 0) {
    batch_.base_timestamp_ms = timestamp_ms;
    batch_.max_timestamp_ms = timestamp_ms;
  }
  batch_.max_timestamp_ms = std::max(batch_.max_timestamp_ms, timestamp_ms);
  const int64_t timestamp_delta = timestamp_ms - batch_.base_timestamp_ms;
  const int64_t offset_delta = batch_.record_count;
  const size_t length = 1 + static_cast<size_t>(VarintSize(timestamp_delta)) +
                        static_cast<size_t>(VarintSize(offset_delta)) + NullableSize(key) +
                        NullableSize(value) + 1;
  std::string& out = batch_.records;
  EnsureRoom(out, length + base::kMaxVarintBytes);
  char head[kMaxRecordOverhead];
  char* at = EncodeVarint(head, static_cast<int64_t>(length));
  *at++ = 0;  // attributes
  at = EncodeVarint(at, timestamp_delta);
  at = EncodeVarint(at, offset_delta);
  at = EncodeVarint(at, key ? static_cast<int64_t>(key->size()) : -1);
  if (key) {
    out.append(head, static_cast<size_t>(at - head));
    out.append(*key);
    at = head;
  }
  at = EncodeVarint(at, value ? static_cast<int64_t>(value->size()) : -1);
  out.append(head, static_cast<size_t>(at - head));
  if (value) out.append(*value);
  out.push_back('\0');  // no headers
  ++batch_.record_count;
}

void BatchBuilder::Add(const RecordView& record) {
  if (record.headers.empty()) return Add(record.key, record.value, record.timestamp_ms);
  std::string body;
  body.push_back('\0');  // attributes
  if (batch_.record_count == 0) {
    batch_.base_timestamp_ms = record.timestamp_ms;
    batch_.max_timestamp_ms = record.timestamp_ms;
  }
  batch_.max_timestamp_ms = std::max(batch_.max_timestamp_ms, record.timestamp_ms);
  AppendVarint(body, record.timestamp_ms - batch_.base_timestamp_ms);
  AppendVarint(body, batch_.record_count);
  AppendNullable(body, record.key);
  AppendNullable(body, record.value);
  AppendVarint(body, static_cast<int64_t>(record.headers.size()));
  for (const HeaderView& header : record.headers) {
    AppendNullable(body, header.name);
    AppendNullable(body, header.value);
  }
  EnsureRoom(batch_.records, body.size() + base::kMaxVarintBytes);
  AppendVarint(batch_.records, static_cast<int64_t>(body.size()));
  batch_.records.append(body);
  ++batch_.record_count;
}

Batch BatchBuilder::Take() { return std::exchange(batch_, Batch{}); }

absl::Status RecordsReader::Malformed(std::string_view what) const {
  return absl::DataLossError(base::StrCat(what, " at byte ", consumed_, " of the records section"));
}

absl::StatusOr<bool> RecordsReader::NextValue(std::optional<std::string_view>& key,
                                              std::optional<std::string_view>& value,
                                              int64_t& timestamp_ms) {
  if (rest_.empty()) return false;
  RawRecord raw;
  const size_t before = rest_.size();
  if (!TakeRecord(rest_, raw)) return Malformed("not a record");
  consumed_ += before - rest_.size();
  key = raw.key;
  value = raw.value;
  timestamp_ms = base_timestamp_ms_ + raw.timestamp_delta;
  return true;
}

absl::StatusOr<bool> RecordsReader::Next(RecordView& record) {
  if (rest_.empty()) return false;
  RawRecord raw;
  const size_t before = rest_.size();
  if (!TakeRecord(rest_, raw)) return Malformed("not a record");
  record.key = raw.key;
  record.value = raw.value;
  record.timestamp_ms = base_timestamp_ms_ + raw.timestamp_delta;
  record.headers.clear();
  for (int64_t i = 0; i < raw.header_count; ++i) {
    HeaderView header;
    if (!TakeHeader(raw.headers, header)) return Malformed("a header cut short");
    record.headers.push_back(header);
  }
  consumed_ += before - rest_.size();
  return true;
}

absl::Status ValidateBatch(const Batch& batch, const BatchLimits& limits) {
  if (batch.record_count == 0) {
    return Refuse("the batch has no records; send at least one", base::reason::kEmptyBatch);
  }
  if (batch.record_count > limits.max_records) {
    return base::MakeError(absl::StatusCode::kInvalidArgument,
                           base::StrCat("a batch of ", batch.record_count,
                                        " records is over the limit of ", limits.max_records),
                           base::reason::kBatchTooLarge,
                           {{"record_count", base::StrCat(batch.record_count)},
                            {"limit_records", base::StrCat(limits.max_records)}});
  }
  if (batch.records.size() > limits.max_batch_bytes) {
    return RefuseSize("a batch", batch.records.size(), limits.max_batch_bytes,
                      base::reason::kBatchTooLarge);
  }
  CAIRN_RETURN_IF_ERROR(ValidateProducer(batch));
  std::string scratch;
  std::string_view records = batch.records;
  if (batch.codec != Codec::kNone) {
    auto plain = Decompress(batch.codec, batch.records, limits.max_batch_bytes);
    if (!plain.ok()) {
      const bool bomb = absl::IsResourceExhausted(plain.status());
      return Refuse(base::StdView(plain.status().message()),
                    bomb ? base::reason::kBatchTooLarge : base::reason::kMalformedBatch);
    }
    scratch = *std::move(plain);
    records = scratch;
  }
  const size_t total = records.size();
  RawRecord record;
  int64_t max_timestamp = std::numeric_limits<int64_t>::min();
  for (uint32_t i = 0; i < batch.record_count; ++i) {
    const size_t position = total - records.size();
    if (!TakeRecord(records, record)) {
      return Refuse(base::StrCat("no record ", i, " of ", batch.record_count, " at byte ", position,
                                 " of the records section"),
                    base::reason::kMalformedBatch);
    }
    CAIRN_RETURN_IF_ERROR(ValidateRecord(record, i, batch, limits, max_timestamp));
  }
  if (!records.empty()) {
    return Refuse(base::StrCat(records.size(), " bytes are left over behind the last record"),
                  base::reason::kMalformedBatch);
  }
  if (max_timestamp != batch.max_timestamp_ms) {
    return Refuse(base::StrCat("the largest timestamp is ", max_timestamp, ", but the batch says ",
                               batch.max_timestamp_ms),
                  base::reason::kMalformedBatch);
  }
  return absl::OkStatus();
}

}  // namespace cairn::log
