// StoreScanner: walks the entries of a store file in order and finds what is damaged.
//
// The one reader of store files that trusts nothing: recovery, index rebuild, `cairn log verify`
// and a read that met damage all walk with it.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "env/file_system.h"
#include "log/entry.h"
#include "log/store_header.h"

namespace cairn::log {

// Thread-compatible. The file outlives the scanner.
class StoreScanner {
 public:
  // Walks [position, end) of `file`; `position` is the start of an entry (kStoreHeaderBytes for the
  // first).
  StoreScanner(const env::File& file, const StoreHeader& store, uint64_t position, uint64_t end)
      : file_(file), store_(store), position_(position), end_(end) {}

  enum class Kind {
    kEntry,   // header and body are intact
    kDamage,  // bytes [position, next_position) are no intact entry; next_position may be the end
    kEnd,     // position() == end
  };
  struct Step {
    Kind kind = Kind::kEnd;
    uint64_t position = 0;
    uint64_t next_position = 0;
    EntryHeader header;  // of the entry; of the damaged entry when header_intact
    bool header_intact = false;
    absl::Status damage;  // DATA_LOSS: what is wrong, with expected and found
  };

  // The next entry or damaged range. Behind a damaged header the walk goes on at the next intact
  // header. Errors: those of the file.
  absl::StatusOr<Step> Next();

  uint64_t position() const { return position_; }

 private:
  // The bytes [position, position + size) or fewer at the end. Valid until the next call.
  absl::StatusOr<std::string_view> View(uint64_t position, size_t size);
  // First position >= `from` that holds an intact header, or end_.
  absl::StatusOr<uint64_t> FindHeader(uint64_t from);

  const env::File& file_;
  const StoreHeader store_;
  uint64_t position_;
  const uint64_t end_;
  std::string window_;
  uint64_t window_at_ = 0;
};

}  // namespace cairn::log
