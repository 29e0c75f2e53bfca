// The block at the start of every store file: whose records these are and where they begin.
// docs/formats/store.md, section "File header".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/types.h"
#include "base/uuid.h"
#include "log/entry.h"

namespace cairn::log {

inline constexpr uint16_t kStoreFormatVersion = 1;
// Two copies of the same 80 bytes, in two sectors, so that one bad sector or bit loses neither.
inline constexpr uint64_t kStoreHeaderBytes = 1024;

struct StoreHeader {
  base::Uuid topic_id;
  PartitionId partition;
  // Which life of the log the file belongs to: raised by Log::Reset, so that files it did not get
  // to remove are told from the new ones.
  uint32_t generation = 0;
  Offset base_offset;
  Index base_index;
  Term base_term;  // of the entry before base_index; 0 when there is none
  int64_t created_ms = 0;

  friend bool operator==(const StoreHeader&, const StoreHeader&) = default;

  // The seed of the header CRC of an entry at `position` of this file.
  HeaderSeed SeedAt(uint64_t position) const;
};

// The kStoreHeaderBytes of the block.
std::string EncodeStoreHeader(const StoreHeader& header);

// Reads either copy. Errors: DATA_LOSS when both are damaged or the block is short; UNIMPLEMENTED,
// naming both versions, when the file was written by a newer format.
absl::StatusOr<StoreHeader> DecodeStoreHeader(std::string_view block);

}  // namespace cairn::log
