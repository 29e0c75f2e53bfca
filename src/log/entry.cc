#include "log/entry.h"

#include <limits>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/strings.h"
#include "log/compression.h"

namespace cairn::log {
namespace {

using base::LoadLittleEndian;
using base::StoreLittleEndian;

constexpr uint32_t kEntryMagic = 0x316e7263;  // "crn1" in the file

// Byte positions of the fields; docs/formats/store.md has the same table.
enum : size_t {
  kMagicAt = 0,
  kHeaderCrcAt = 4,  // over [8, 80), seeded with the place
  kBodyBytesAt = 8,
  kBodyCrcAt = 12,
  kDurableBytesAt = 16,
  kTermAt = 20,
  kIndexAt = 24,
  kBaseOffsetAt = 32,
  kRecordCountAt = 40,
  kAttributesAt = 44,
  kKindAt = 46,
  kReservedAt = 47,
  kBaseTimestampAt = 48,
  kMaxTimestampAt = 56,
  kProducerIdAt = 64,
  kBaseSequenceAt = 72,
  kProducerEpochAt = 76,
  kReserved2At = 78,
};
constexpr size_t kCoveredFrom = 8;

// A body is decompressed to at most this much. The writer's limits are far below; this one only
// keeps a corrupt length from taking all memory.
constexpr uint64_t kMaxUncompressedBytes = 1u << 30;

}  // namespace

void EncodeEntryHeader(const EntryHeader& header, HeaderSeed seed, char* to) {
  StoreLittleEndian<uint32_t>(to + kMagicAt, kEntryMagic);
  StoreLittleEndian<uint32_t>(to + kBodyBytesAt, header.body_bytes);
  StoreLittleEndian<uint32_t>(to + kBodyCrcAt, header.body_crc);
  StoreLittleEndian<uint32_t>(to + kDurableBytesAt, header.durable_bytes);
  StoreLittleEndian<int32_t>(to + kTermAt, header.term.value());
  StoreLittleEndian<uint64_t>(to + kIndexAt, header.index.value());
  StoreLittleEndian<uint64_t>(to + kBaseOffsetAt, header.base_offset.value());
  StoreLittleEndian<uint32_t>(to + kRecordCountAt, header.record_count);
  StoreLittleEndian<uint16_t>(to + kAttributesAt, header.attributes);
  StoreLittleEndian<uint8_t>(to + kKindAt, static_cast<uint8_t>(header.kind));
  StoreLittleEndian<uint8_t>(to + kReservedAt, 0);
  StoreLittleEndian<int64_t>(to + kBaseTimestampAt, header.base_timestamp_ms);
  StoreLittleEndian<int64_t>(to + kMaxTimestampAt, header.max_timestamp_ms);
  StoreLittleEndian<int64_t>(to + kProducerIdAt, header.producer_id);
  StoreLittleEndian<int32_t>(to + kBaseSequenceAt, header.base_sequence);
  StoreLittleEndian<int16_t>(to + kProducerEpochAt, header.producer_epoch);
  StoreLittleEndian<uint16_t>(to + kReserved2At, 0);
  StoreLittleEndian<uint32_t>(
      to + kHeaderCrcAt,
      base::ExtendCrc32c(seed,
                         std::string_view(to + kCoveredFrom, kEntryHeaderBytes - kCoveredFrom)));
}

absl::StatusOr<EntryHeader> DecodeEntryHeader(std::string_view bytes, HeaderSeed seed) {
  const char* from = bytes.data();
  if (const auto magic = LoadLittleEndian<uint32_t>(from + kMagicAt); magic != kEntryMagic) {
    return absl::DataLossError(
        absl::StrFormat("no entry header: magic is %08x, expected %08x", magic, kEntryMagic));
  }
  const uint32_t found =
      base::ExtendCrc32c(seed, bytes.substr(kCoveredFrom, kEntryHeaderBytes - kCoveredFrom));
  const auto expected = LoadLittleEndian<uint32_t>(from + kHeaderCrcAt);
  if (found != expected) {
    return absl::DataLossError(
        absl::StrFormat("entry header CRC32C: expected %08x, found %08x", expected, found));
  }
  EntryHeader header;
  header.body_bytes = LoadLittleEndian<uint32_t>(from + kBodyBytesAt);
  header.body_crc = LoadLittleEndian<uint32_t>(from + kBodyCrcAt);
  header.durable_bytes = LoadLittleEndian<uint32_t>(from + kDurableBytesAt);
  header.term = Term(LoadLittleEndian<int32_t>(from + kTermAt));
  header.index = Index(LoadLittleEndian<uint64_t>(from + kIndexAt));
  header.base_offset = Offset(LoadLittleEndian<uint64_t>(from + kBaseOffsetAt));
  header.record_count = LoadLittleEndian<uint32_t>(from + kRecordCountAt);
  header.attributes = LoadLittleEndian<uint16_t>(from + kAttributesAt);
  header.kind = static_cast<EntryKind>(LoadLittleEndian<uint8_t>(from + kKindAt));
  header.base_timestamp_ms = LoadLittleEndian<int64_t>(from + kBaseTimestampAt);
  header.max_timestamp_ms = LoadLittleEndian<int64_t>(from + kMaxTimestampAt);
  header.producer_id = LoadLittleEndian<int64_t>(from + kProducerIdAt);
  header.base_sequence = LoadLittleEndian<int32_t>(from + kBaseSequenceAt);
  header.producer_epoch = LoadLittleEndian<int16_t>(from + kProducerEpochAt);

  // The CRC held, so a field out of range was written so: by a newer version, or by a fault before
  // the CRC.
  if (header.body_bytes > kMaxBodyBytes) {
    return absl::DataLossError(base::StrCat("entry body of ", header.body_bytes,
                                            " bytes is over the limit of ", kMaxBodyBytes));
  }
  if (header.kind < EntryKind::kBatch || header.kind > EntryKind::kConfiguration) {
    return absl::DataLossError(base::StrCat("unknown entry kind ", static_cast<int>(header.kind)));
  }
  if ((header.kind == EntryKind::kBatch) != (header.record_count > 0)) {
    return absl::DataLossError(base::StrCat("entry of kind ", static_cast<int>(header.kind),
                                            " with ", header.record_count, " records"));
  }
  if (header.index.value() == 0 || header.term.value() < 0 ||
      header.base_offset.value() > std::numeric_limits<int64_t>::max()) {
    return absl::DataLossError("entry with an impossible index, term or offset");
  }
  return header;
}

Entry MakeBatchEntry(Batch batch, Index index, Term term, Offset base_offset) {
  Entry entry;
  EntryHeader& header = entry.header;
  header.kind = EntryKind::kBatch;
  header.body_bytes = static_cast<uint32_t>(batch.records.size());
  header.body_crc = base::Crc32c(batch.records);
  header.attributes = static_cast<uint16_t>(batch.codec);
  header.term = term;
  header.index = index;
  header.base_offset = base_offset;
  header.record_count = batch.record_count;
  header.base_timestamp_ms = batch.base_timestamp_ms;
  header.max_timestamp_ms = batch.max_timestamp_ms;
  header.producer_id = batch.producer_id;
  header.producer_epoch = batch.producer_epoch;
  header.base_sequence = batch.base_sequence;
  entry.trace = batch.trace;
  entry.buffer = std::make_shared<const std::string>(std::move(batch.records));
  return entry;
}

Entry MakeControlEntry(EntryKind kind, std::string body, Index index, Term term, Offset next_offset,
                       int64_t timestamp_ms) {
  Entry entry;
  entry.header.kind = kind;
  entry.header.body_bytes = static_cast<uint32_t>(body.size());
  entry.header.body_crc = base::Crc32c(body);
  entry.header.term = term;
  entry.header.index = index;
  entry.header.base_offset = next_offset;
  entry.header.base_timestamp_ms = timestamp_ms;
  entry.header.max_timestamp_ms = timestamp_ms;
  entry.buffer = std::make_shared<const std::string>(std::move(body));
  return entry;
}

absl::StatusOr<std::string_view> UncompressedRecords(const Entry& entry, std::string& scratch) {
  if (entry.header.codec() == Codec::kNone) return entry.body();
  auto plain = Decompress(entry.header.codec(), entry.body(), kMaxUncompressedBytes);
  if (!plain.ok()) return plain.status();
  scratch = *std::move(plain);
  return std::string_view(scratch);
}

}  // namespace cairn::log
