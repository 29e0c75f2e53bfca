// SparseIndex: the memory-mapped companion of a store file: where to start reading for an offset,
// an index or a timestamp. docs/formats/index.md.
//
// It is a cache. Nothing is decided from it alone: a looked-up position is checked against the
// store, and a missing, short or damaged index is rebuilt. Its stores reach the disk whenever the
// kernel likes, each page as it was or as it is; every entry and mark therefore carries its own
// CRC.
//
// It also remembers two marks. The durable mark says how far an fdatasync had confirmed the store:
// damage below it is rot. The close mark says that the log was closed cleanly at that size, so that
// opening need not scan. Both are lower bounds: an old or lost mark costs a scan, never a record.
//
// Written by the log's writer thread; Lookup* by any thread beside it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "base/types.h"
#include "env/file_system.h"
#include "log/store_header.h"

namespace cairn::log {

// The first entry at or behind a multiple of the index interval.
struct IndexEntry {
  Offset offset;  // first offset of the entry
  Index index;
  uint32_t position = 0;  // in the store file
  Term term;
  int64_t max_timestamp_ms = 0;  // largest of the segment up to and including this entry

  friend bool operator==(const IndexEntry&, const IndexEntry&) = default;
};

// How far the store was known to be on disk.
struct DurableMark {
  uint32_t store_bytes = 0;
  Offset end_offset;  // first offset behind
  Index end_index;
};

// Where the store ended when it was closed.
struct CloseMark {
  uint32_t store_bytes = 0;
  uint32_t entry_count = 0;  // of the index
  Offset end_offset;
  Index end_index;
  Term last_term;
  int64_t max_timestamp_ms = 0;
  bool sealed = false;  // a later segment exists: the log does not end here
};

class SparseIndex {
 public:
  // Creates the index file, replacing one that is there. Errors: RESOURCE_EXHAUSTED when the disk
  // is full.
  static absl::StatusOr<std::unique_ptr<SparseIndex>> Create(env::FileSystem& fs, std::string path,
                                                             const StoreHeader& store);
  // Opens an existing one and keeps its intact prefix of entries: CRCs hold, strictly ascending.
  // Errors: NOT_FOUND; DATA_LOSS when it is not an index of this store.
  static absl::StatusOr<std::unique_ptr<SparseIndex>> Open(env::FileSystem& fs, std::string path,
                                                           const StoreHeader& store);

  // Fills in the generation and the base index of a `header` whose other fields are known: the
  // index remembers them when the store file has lost its own. False when there is no index of that
  // store. Blocking. Errors: those of the file system, but for a missing file.
  static absl::StatusOr<bool> CompleteHeader(env::FileSystem& fs, const std::string& path,
                                             StoreHeader& header);

  // ---- writer ----

  // Adds an entry behind the last one. A full disk makes the index incomplete, never wrong: the
  // entry is then left out and false returned.
  bool Append(const IndexEntry& entry);
  // Keeps the first `count` entries; the rest is zeroed.
  void TruncateTo(uint32_t count);
  void SetDurableMark(const DurableMark& mark);
  void SetCloseMark(const CloseMark& mark);
  void ClearCloseMark();
  // Makes entries and marks durable. Blocking.
  absl::Status Sync();
  // Cuts the file to what is used. Only the marks may change afterwards, until the next Append
  // grows it again.
  absl::Status Trim();

  std::optional<DurableMark> durable_mark() const;
  std::optional<CloseMark> close_mark() const;

  // ---- any thread ----

  uint32_t entry_count() const { return count_.load(std::memory_order_acquire); }
  // `i` < entry_count(). nullopt when the entry's bytes are damaged.
  std::optional<IndexEntry> At(uint32_t i) const;

  // Store position to start at to find the entry that holds the offset (or has the index): that of
  // the last index entry at or before it, or nullopt to start at the beginning of the store.
  std::optional<IndexEntry> FloorOffset(Offset offset) const;
  std::optional<IndexEntry> FloorIndex(Index index) const;
  // The last index entry with max_timestamp_ms < timestamp_ms: no record before it is late enough.
  std::optional<IndexEntry> FloorTimestamp(int64_t timestamp_ms) const;

 private:
  SparseIndex(std::unique_ptr<env::File> file, const StoreHeader& store)
      : file_(std::move(file)), store_(store) {}

  absl::Status MapWhole(uint64_t size_bytes);
  std::shared_ptr<env::Mapping> mapping() const;
  template <typename Before>
  std::optional<IndexEntry> LastWhere(Before before) const;

  const std::unique_ptr<env::File> file_;
  const StoreHeader store_;
  std::atomic<uint32_t> count_{0};
  uint32_t capacity_ = 0;  // entries that the mapping has room for

  // Shared because a lookup may still use the old mapping while the writer grows to a new one.
  mutable base::Mutex mutex_;
  std::shared_ptr<env::Mapping> mapping_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn::log
