// A segment: one store file and its index, covering offsets [base_offset, end_offset).
//
// Sits between Log (which rolls and deletes segments) and the FileSystem. The writer functions
// belong to one thread at a time; the reader functions may run on any thread beside it.
//
// Invariant: the file's first size_bytes() bytes are a header block and whole entries, but for
// damage. Invariant: the first durable_bytes() of them survived an fdatasync.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/types.h"
#include "env/file_system.h"
#include "log/damage.h"
#include "log/entry.h"
#include "log/sparse_index.h"
#include "log/store_header.h"

namespace cairn::log {

// "00000000000000000042.store" for base offset 42.
std::string StoreFileName(Offset base_offset);
std::string IndexFileName(Offset base_offset);
// The base offset of a store file's name, or nullopt for any other name.
std::optional<Offset> ParseStoreFileName(std::string_view name);

// Index entries are at least this far apart in the store: what a lookup may have to walk.
inline constexpr uint32_t kIndexIntervalBytes = 4096;

class Segment {
 public:
  // Creates both files; their names and the header block are durable on return. Blocking. On an
  // error the caller removes what was made, but for ALREADY_EXISTS: the store file is then
  // somebody's.
  static absl::StatusOr<std::shared_ptr<Segment>> Create(env::FileSystem& fs,
                                                         const std::string& directory,
                                                         const StoreHeader& header);

  struct OpenOptions {
    std::string directory;
    StoreHeader
        header;  // what the block must say (created_ms, base_index and base_term are read from it)
    // Where the next segment begins; absent for the last one. Only the last may have a torn tail;
    // in any other, what is missing before the next one's beginning is damage.
    struct End {
      Offset offset;
      Index index;
    };
    std::optional<End> next;
  };
  // Opens and recovers: trusts a close mark that fits, otherwise walks the store from the last
  // trustworthy index entry, cuts a torn tail (last segment only), reports rot, rebuilds the index,
  // and writes what lies beyond the durable mark again, because a failed fsync in an earlier life
  // leaves pages that look written and never reached the disk. What it keeps is durable on return.
  // Blocking. Errors: NOT_FOUND for a torn creation (last segment without header and entries: never
  // acknowledged); FAILED_PRECONDITION when the file belongs to another topic or partition;
  // UNIMPLEMENTED for an unknown format version; those of the file system.
  static absl::StatusOr<std::shared_ptr<Segment>> Open(env::FileSystem& fs,
                                                       const OpenOptions& options,
                                                       RecoveryReport& report);

  // ---- writer ----

  // Writes entries behind the last one; not durable until the file is synced and MarkDurable
  // called. On an error the file is cut back to where it was; failed() tells when that did not work
  // either.
  absl::Status Write(std::span<const Entry> entries);
  env::File& store_file() { return *store_; }
  void MarkDurable();
  // Makes durable what says how much of the segment is. Blocking.
  absl::Status SyncDurableMark() { return index_->Sync(); }
  // Removes the entries with index >= `from`, durably. Blocking.
  absl::Status TruncateSuffix(Index from);
  // Syncs, leaves a close mark and trims the index. `sealed`: a later segment exists. Blocking.
  absl::Status Close(bool sealed);
  // Makes a later Write legal on a segment that was closed: drops the close mark, durably.
  // Blocking.
  absl::Status Reopen();
  // A segment that turned out to be damaged is read from its beginning by the next opening.
  // Durable. Blocking. Lookups in it take long afterwards: at the end only.
  absl::Status Distrust();
  bool failed() const { return failed_; }

  // ---- any thread ----

  const StoreHeader& header() const { return header_; }
  const std::string& path() const { return path_; }
  Offset base_offset() const { return header_.base_offset; }
  Index base_index() const { return header_.base_index; }
  Offset end_offset() const { return Offset(end_offset_.load(std::memory_order_acquire)); }
  Index end_index() const { return Index(end_index_.load(std::memory_order_acquire)); }
  uint64_t size_bytes() const { return size_.load(std::memory_order_acquire); }
  uint64_t durable_bytes() const { return durable_; }
  int64_t max_timestamp_ms() const { return max_timestamp_.load(std::memory_order_relaxed); }
  Term last_term() const { return Term(last_term_.load(std::memory_order_relaxed)); }
  bool closed() const { return closed_; }
  bool sealed_on_disk() const { return sealed_; }
  // The tail is damaged: nothing may be written behind it.
  bool damaged_tail() const { return damaged_tail_; }
  // Entries are known to be lost in it. It then gets no close mark: the next opening looks for
  // itself.
  bool damaged() const { return damaged_.load(std::memory_order_acquire); }
  void NoteDamaged() const { damaged_.store(true, std::memory_order_release); }
  const SparseIndex& index() const { return *index_; }

  // What a read asks for. Exactly one of from_offset and from_index is set.
  struct ReadOptions {
    std::optional<Offset> from_offset;  // batches only, from the one that holds this offset
    std::optional<Index> from_index;    // entries of every kind
    Offset limit_offset;                // entries that end behind it are not returned
    size_t max_bytes = 0;               // about; at least one entry is returned
  };
  // Appends to `entries`. Nothing when the segment has no such entry below the limit.
  // Errors: DATA_LOSS (DamageError) when the first entry asked for is damaged; then `damage`, when
  // given, is what was met.
  absl::Status Read(const ReadOptions& options, std::vector<Entry>& entries,
                    Damage* damage = nullptr) const;

 private:
  Segment(std::string path, StoreHeader header, std::unique_ptr<env::File> store)
      : path_(std::move(path)), header_(header), store_(std::move(store)) {}

  absl::Status OpenIndex(env::FileSystem& fs, const std::string& index_path,
                         RecoveryReport& report);
  bool TrustCloseMark(uint64_t file_size);
  absl::Status Recover(uint64_t file_size, bool is_last, RecoveryReport& report);
  void ReachNext(const OpenOptions::End& next, RecoveryReport& report);
  absl::Status RewriteTail(uint64_t from, uint64_t to);
  void NoteEntry(const EntryHeader& header, uint64_t position);

  const std::string path_;
  StoreHeader header_;
  const std::unique_ptr<env::File> store_;
  std::unique_ptr<SparseIndex> index_;

  std::atomic<uint64_t> size_{0};
  std::atomic<uint64_t> end_offset_{0};
  std::atomic<uint64_t> end_index_{0};
  std::atomic<int64_t> max_timestamp_{INT64_MIN};
  std::atomic<int32_t> last_term_{0};
  uint64_t durable_ = 0;
  uint64_t last_indexed_ = 0;  // position of the last index entry
  bool closed_ = false;
  bool sealed_ = false;
  bool failed_ = false;
  bool damaged_tail_ = false;
  mutable std::atomic<bool> damaged_{false};  // set by the reads that meet it, too
};

}  // namespace cairn::log
