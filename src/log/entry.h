// An entry: what a store file consists of. A header of 80 bytes and a body; docs/formats/store.md.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/trace_context.h"
#include "base/types.h"
#include "log/batch.h"

namespace cairn::log {

enum class EntryKind : uint8_t {
  kBatch = 1,          // records; takes record_count offsets
  kBarrier = 2,        // nothing; takes no offset
  kConfiguration = 3,  // opaque bytes of the consensus layer; takes no offset
};

// The decoded header. Every field but durable_bytes is the same on every replica.
struct EntryHeader {
  EntryKind kind = EntryKind::kBatch;
  uint32_t body_bytes = 0;
  uint32_t body_crc = 0;
  // How many bytes of this store file an fdatasync had confirmed when the entry was written: the
  // proof that damage below it is rot, not a torn tail.
  uint32_t durable_bytes = 0;
  uint16_t attributes = 0;  // Kafka's bits; the codec is the low three
  Term term;
  Index index;
  Offset base_offset;  // of the first record; of the next record for kinds that take no offset
  uint32_t record_count = 0;
  int64_t base_timestamp_ms = 0;
  int64_t max_timestamp_ms = 0;
  int64_t producer_id = kNoProducerId;
  int16_t producer_epoch = kNoProducerEpoch;
  int32_t base_sequence = kNoSequence;

  Codec codec() const { return static_cast<Codec>(attributes & 7); }
  // First offset behind the entry.
  Offset end_offset() const { return base_offset + record_count; }

  friend bool operator==(const EntryHeader&, const EntryHeader&) = default;
};

inline constexpr size_t kEntryHeaderBytes = 80;
// A body longer than this is never written and never believed.
inline constexpr uint32_t kMaxBodyBytes = 64u << 20;

// Where an encoded header stands, mixed into its CRC: a header that was copied into a record's
// value, belongs to another file, or was written to the wrong place is no header here. See
// StoreFile::SeedAt.
using HeaderSeed = uint32_t;

// Writes the 80 bytes of `header`, with magic and header CRC. `to` has room for them.
void EncodeEntryHeader(const EntryHeader& header, HeaderSeed seed, char* to);

// Reads them back. Errors: DATA_LOSS when magic, CRC or a field's range is wrong. `bytes` is at
// least kEntryHeaderBytes long.
absl::StatusOr<EntryHeader> DecodeEntryHeader(std::string_view bytes, HeaderSeed seed);

// An entry in memory that others share: the tail cache, readers, and (in a cluster) the peers'
// connections.
struct Entry {
  EntryHeader header;
  std::shared_ptr<const std::string>
      buffer;                     // shared because readers outlive the cache that held it
  size_t body_position = 0;       // within *buffer
  base::TraceContext trace = {};  // of the batch; of a leader's message, on a follower

  std::string_view body() const {
    return std::string_view(*buffer).substr(body_position, header.body_bytes);
  }
  // Bytes the entry takes in a store file.
  size_t size_bytes() const { return kEntryHeaderBytes + header.body_bytes; }
};

// The entry that holds `batch` at the given place of the log; takes over the records without
// copying. Computes the body CRC. The batch has passed ValidateBatch.
Entry MakeBatchEntry(Batch batch, Index index, Term term, Offset base_offset);

// An entry of kind barrier (empty body) or configuration, which takes no offset.
Entry MakeControlEntry(EntryKind kind, std::string body, Index index, Term term, Offset next_offset,
                       int64_t timestamp_ms);

// The uncompressed records section of a batch entry: its own body, or `scratch`, filled by
// decompressing. Errors: DATA_LOSS when the body cannot be decompressed.
absl::StatusOr<std::string_view> UncompressedRecords(const Entry& entry, std::string& scratch);

}  // namespace cairn::log
