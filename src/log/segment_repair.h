// SegmentRepair: makes a damaged segment anew, beside it: from its intact entries, and from entries
// of another replica where they are damaged.
//
// Sits between Log, which names the segment (PrepareRepair) and takes the new one in (AdoptRepair),
// and whoever can ask other replicas. Works in bounded steps; blocking. One thread at a time; the
// log may be read and written beside it.
//
//   while (true) {
//     switch (*repair->Step()) {
//       case kMore: continue;
//       case kEntries: fetch [next_index(), wanted_limit()) elsewhere, repair->Take(…); continue;
//       case kDone: log.AdoptRepair(*repair);
//     }
//   }
//
// The new files are in a directory of their own within the log's, whose content the next opening
// removes. Since a store file is a header and its entries, the new one is byte for byte what the
// damaged one was, but for the durable bytes that its entries testify to.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/types.h"
#include "env/file_system.h"
#include "log/log_start.h"
#include "log/segment.h"

namespace cairn::log {

inline constexpr std::string_view kRepairDirectory = "repair";

// What is to be made anew: the entries [segment->base_index(), end_index).
struct RepairTarget {
  std::string directory;                   // of the log
  std::shared_ptr<const Segment> segment;  // shared because retention may remove it meanwhile
  StoreHeader header;                      // of the new one
  // Where what follows begins.
  Index end_index;
  Offset end_offset;
  // Of the entry before the first one, and of the last one; nullopt: nothing here says.
  std::optional<Term> term_before;
  std::optional<Term> last_term;
  bool is_last = false;  // of the log: nothing follows yet
  // A segment that must hold another one's entries, too, whose file is gone, is split at this size.
  uint64_t segment_bytes = 0;
};

class SegmentRepair {
 public:
  // Removes what an earlier repair of the log left. Blocking.
  static absl::StatusOr<std::unique_ptr<SegmentRepair>> Begin(env::FileSystem& fs,
                                                              RepairTarget target);

  enum class Progress {
    kMore,     // call Step again
    kEntries,  // what comes next is damaged: Take it
    kDone,     // for Log::AdoptRepair
  };
  // Reads, checks and copies about a mebibyte. First the whole segment is read without writing:
  // most of it is intact, and all of it may be (a read that met a truncation takes it for damage).
  // Errors: those of the file system; FAILED_PRECONDITION when the entries do not lead to what
  // follows (the log here will be cut by its leader).
  absl::StatusOr<Progress> Step();

  // Entries of another replica, which are committed there, from next_index() on; `term_before` is
  // that of the entry before them there. What they are is not believed: FAILED_PRECONDITION when
  // they do not follow what is here, DATA_LOSS when a body does not fit its checksum; nothing is
  // taken then. Blocking.
  absl::Status Take(std::span<const Entry> entries, Term term_before);

  // The others have deleted what comes before `first`, which is in the segment, and so has this log
  // (Log::DeletePrefix, at least to first.offset): the new segment begins there. Begins anew.
  // Blocking.
  absl::Status StartAt(const LogStart& first);

  Index next_index() const { return next_index_; }
  // Where intact entries come again, at most.
  Index wanted_limit() const { return wanted_limit_; }
  const RepairTarget& target() const { return target_; }
  // Every entry could be read after all: there is nothing to adopt but this.
  bool intact() const { return done_ && made_.empty(); }
  uint64_t copied_bytes() const { return copied_bytes_; }
  uint64_t fetched_entries() const { return fetched_entries_; }

  // Of the new files.
  std::string made_directory() const;
  const std::vector<std::shared_ptr<Segment>>& made() const { return made_; }

 private:
  SegmentRepair(env::FileSystem& fs, RepairTarget target);

  void Rewind();
  absl::Status Create();
  // Of the damaged segment, from next_index_ on; empty: it has no such entry. Sets wanted_limit_.
  absl::StatusOr<std::vector<Entry>> ReadOld();
  absl::Status CheckFollows(const EntryHeader& header) const;
  absl::Status Append(std::span<const Entry> entries);
  absl::Status Roll();
  absl::Status Finish();
  absl::Status CheckEnd() const;

  env::FileSystem& fs_;
  RepairTarget target_;
  Index next_index_;
  Offset next_offset_;
  std::optional<Term> last_term_;
  Index wanted_limit_;
  bool done_ = false;
  std::vector<std::shared_ptr<Segment>> made_;  // empty: still looking
  uint64_t unsynced_bytes_ = 0;
  uint64_t copied_bytes_ = 0;
  uint64_t fetched_entries_ = 0;
};

}  // namespace cairn::log
