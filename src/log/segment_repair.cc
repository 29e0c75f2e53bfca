#include "log/segment_repair.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "env/files.h"

namespace cairn::log {
namespace {

// Of one step: short enough that what waits behind it on its thread hardly notices.
constexpr size_t kStepBytes = 1 << 20;
// Synced in pieces: one sync of a whole segment would hold up those of the groups beside it.
constexpr uint64_t kSyncEveryBytes = 8 << 20;

absl::Status DoesNotFit(const EntryHeader& header, std::string_view what, uint64_t found,
                        uint64_t expected) {
  return absl::FailedPreconditionError(base::StrCat("the entry at index ", header.index.value(),
                                                    " does not fit: ", what, " ", found,
                                                    ", expected ", expected));
}

}  // namespace

SegmentRepair::SegmentRepair(env::FileSystem& fs, RepairTarget target)
    : fs_(fs), target_(std::move(target)) {
  Rewind();
}

std::string SegmentRepair::made_directory() const {
  return env::JoinPath(target_.directory, kRepairDirectory);
}

absl::StatusOr<std::unique_ptr<SegmentRepair>> SegmentRepair::Begin(env::FileSystem& fs,
                                                                    RepairTarget target) {
  std::unique_ptr<SegmentRepair> repair(new SegmentRepair(fs, std::move(target)));
  CAIRN_RETURN_IF_ERROR(env::RemoveTree(fs, repair->made_directory()));
  return repair;
}

void SegmentRepair::Rewind() {
  next_index_ = target_.header.base_index;
  next_offset_ = target_.header.base_offset;
  last_term_ = target_.term_before;
  wanted_limit_ = target_.end_index;
}

absl::Status SegmentRepair::StartAt(const LogStart& first) {
  CAIRN_CHECK(first.index > target_.header.base_index && first.index < target_.end_index,
              "a segment begins anew within itself");
  target_.header.base_index = first.index;
  target_.header.base_offset = first.offset;
  target_.header.base_term = first.term;
  target_.term_before = first.term;
  made_.clear();
  CAIRN_RETURN_IF_ERROR(env::RemoveTree(fs_, made_directory()));
  Rewind();
  return Create();
}

absl::Status SegmentRepair::Create() {
  CAIRN_RETURN_IF_ERROR(env::CreateDirs(fs_, made_directory()));
  CAIRN_ASSIGN_OR_RETURN(auto first, Segment::Create(fs_, made_directory(), target_.header));
  made_.push_back(std::move(first));
  return absl::OkStatus();
}

absl::StatusOr<SegmentRepair::Progress> SegmentRepair::Step() {
  if (done_) return Progress::kDone;
  if (next_index_ == target_.end_index) {
    CAIRN_RETURN_IF_ERROR(CheckEnd());
    if (!made_.empty()) CAIRN_RETURN_IF_ERROR(Finish());
    done_ = true;
    return Progress::kDone;
  }
  CAIRN_ASSIGN_OR_RETURN(const std::vector<Entry> entries, ReadOld());
  if (made_.empty()) {
    if (!entries.empty()) {
      next_index_ = entries.back().header.index + 1;
      next_offset_ = entries.back().header.end_offset();
      last_term_ = entries.back().header.term;
      return Progress::kMore;
    }
    // Damage: all is copied from the beginning.
    Rewind();
    CAIRN_RETURN_IF_ERROR(Create());
    return Progress::kMore;
  }
  if (entries.empty()) return Progress::kEntries;
  CAIRN_RETURN_IF_ERROR(Append(entries));
  return Progress::kMore;
}

absl::StatusOr<std::vector<Entry>> SegmentRepair::ReadOld() {
  Segment::ReadOptions options;
  options.from_index = next_index_;
  options.limit_offset = target_.end_offset;
  options.max_bytes = kStepBytes;
  std::vector<Entry> entries;
  Damage damage;
  const absl::Status status = target_.segment->Read(options, entries, &damage);
  if (!status.ok() && !absl::IsDataLoss(status)) return status;
  wanted_limit_ = target_.end_index;
  if (!status.ok() && damage.end_index > next_index_) {
    wanted_limit_ = std::min(damage.end_index, target_.end_index);
  }
  // What was written where it does not belong is as good as damaged.
  Index index = next_index_;
  Offset offset = next_offset_;
  Term term = last_term_.value_or(Term());
  size_t fitting = 0;
  for (const Entry& entry : entries) {
    const EntryHeader& header = entry.header;
    if (header.index != index || header.base_offset != offset || header.term < term ||
        header.index >= target_.end_index) {
      break;
    }
    ++fitting;
    ++index;
    offset = header.end_offset();
    term = header.term;
  }
  entries.resize(fitting);
  return entries;
}

absl::Status SegmentRepair::CheckFollows(const EntryHeader& header) const {
  if (header.index != next_index_) {
    return DoesNotFit(header, "index", header.index.value(), next_index_.value());
  }
  if (header.base_offset != next_offset_) {
    return DoesNotFit(header, "offset", header.base_offset.value(), next_offset_.value());
  }
  if (last_term_ && header.term < *last_term_) {
    return absl::FailedPreconditionError(base::StrCat("the entry at index ", header.index.value(),
                                                      " does not fit: term ", header.term.value(),
                                                      " follows ", last_term_->value()));
  }
  return absl::OkStatus();
}

absl::Status SegmentRepair::Take(std::span<const Entry> entries, Term term_before) {
  CAIRN_CHECK(!made_.empty() && !done_, "entries are taken where Step asked for some");
  if (last_term_ && term_before != *last_term_) {
    return absl::FailedPreconditionError(
        base::StrCat("the entry before index ", next_index_.value(), " is of term ",
                     term_before.value(), " elsewhere and of term ", last_term_->value(), " here"));
  }
  const Index index = next_index_;
  const Offset offset = next_offset_;
  const std::optional<Term> term = last_term_;
  last_term_ = term_before;
  absl::Status status;
  size_t wanted = 0;
  for (const Entry& entry : entries) {
    if (entry.header.index >= target_.end_index) break;
    status = CheckFollows(entry.header);
    if (status.ok() && base::Crc32c(entry.body()) != entry.header.body_crc) {
      status = absl::DataLossError(base::StrCat("the body of the entry at index ",
                                                entry.header.index.value(),
                                                " does not fit its checksum"));
    }
    if (!status.ok()) break;
    ++wanted;
    ++next_index_;
    next_offset_ = entry.header.end_offset();
    last_term_ = entry.header.term;
  }
  if (status.ok() && wanted == 0) {
    status =
        absl::FailedPreconditionError(base::StrCat("no entry at index ", index.value(), " came"));
  }
  next_index_ = index;
  next_offset_ = offset;
  if (!status.ok()) {
    last_term_ = term;
    return status;
  }
  fetched_entries_ += wanted;
  return Append(entries.first(wanted));
}

// Of entries that follow.
absl::Status SegmentRepair::Append(std::span<const Entry> entries) {
  for (const Entry& entry : entries) {
    // The damaged file's own entries fit into one file. What is behind them is another's.
    const bool beyond = made_.back()->size_bytes() + entry.size_bytes() >
                        std::max(target_.segment_bytes, target_.segment->size_bytes());
    if (beyond && made_.back()->end_offset() > made_.back()->base_offset()) {
      CAIRN_RETURN_IF_ERROR(Roll());
    }
    CAIRN_RETURN_IF_ERROR(made_.back()->Write({&entry, 1}));
    next_index_ = entry.header.index + 1;
    next_offset_ = entry.header.end_offset();
    last_term_ = entry.header.term;
    copied_bytes_ += entry.size_bytes();
    unsynced_bytes_ += entry.size_bytes();
  }
  if (unsynced_bytes_ < kSyncEveryBytes) return absl::OkStatus();
  unsynced_bytes_ = 0;
  CAIRN_RETURN_IF_ERROR(made_.back()->store_file().Sync());
  made_.back()->MarkDurable();
  return absl::OkStatus();
}

absl::Status SegmentRepair::Roll() {
  CAIRN_RETURN_IF_ERROR(made_.back()->Close(/*sealed=*/true));
  StoreHeader header = target_.header;
  header.base_offset = next_offset_;
  header.base_index = next_index_;
  header.base_term = *last_term_;
  CAIRN_ASSIGN_OR_RETURN(auto next, Segment::Create(fs_, made_directory(), header));
  made_.push_back(std::move(next));
  return absl::OkStatus();
}

absl::Status SegmentRepair::Finish() { return made_.back()->Close(/*sealed=*/!target_.is_last); }

absl::Status SegmentRepair::CheckEnd() const {
  if (next_offset_ != target_.end_offset) {
    return absl::FailedPreconditionError(base::StrCat(
        "the entries up to index ", target_.end_index.value(), " end at offset ",
        next_offset_.value(), ", but what follows begins at ", target_.end_offset.value()));
  }
  if (target_.last_term && last_term_ != target_.last_term) {
    return absl::FailedPreconditionError(
        base::StrCat("the entry before index ", target_.end_index.value(), " is of term ",
                     last_term_.value_or(Term()).value(), ", but what follows says ",
                     target_.last_term->value()));
  }
  return absl::OkStatus();
}

}  // namespace cairn::log
