// Segment::Open: what to trust of the two files of a segment. The decision table is in
// docs/formats/recovery.md; the names of its rows are in the comments here.
#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "env/files.h"
#include "log/segment.h"
#include "log/store_scanner.h"

namespace cairn::log {
namespace {

absl::Status Foreign(const std::string& path, const StoreHeader& found,
                     const StoreHeader& expected) {
  return absl::FailedPreconditionError(base::StrCat(
      path, " belongs to topic ", found.topic_id.ToString(), " partition ", found.partition.value(),
      " base offset ", found.base_offset.value(), ", expected topic ", expected.topic_id.ToString(),
      " partition ", expected.partition.value(), " base offset ", expected.base_offset.value(),
      ". Move the file back to where it came from"));
}

// Whether the index says that its store held durable entries.
absl::StatusOr<bool> HeldEntries(env::FileSystem& fs, const std::string& index_path,
                                 const StoreHeader& header) {
  const auto index = SparseIndex::Open(fs, index_path, header);
  if (absl::IsNotFound(index.status()) || absl::IsDataLoss(index.status())) return false;
  if (!index.ok()) return index.status();
  const auto mark = (*index)->durable_mark();
  return mark && mark->store_bytes > kStoreHeaderBytes;
}

}  // namespace

absl::StatusOr<std::shared_ptr<Segment>> Segment::Open(env::FileSystem& fs,
                                                       const OpenOptions& options,
                                                       RecoveryReport& report) {
  StoreHeader expected = options.header;
  const std::string path = env::JoinPath(options.directory, StoreFileName(expected.base_offset));
  const std::string index_path =
      env::JoinPath(options.directory, IndexFileName(expected.base_offset));
  CAIRN_ASSIGN_OR_RETURN(auto file, fs.Open(path, env::OpenMode::kReadWrite));
  CAIRN_ASSIGN_OR_RETURN(const uint64_t file_size, file->Size());
  std::string block(kStoreHeaderBytes, '\0');
  CAIRN_ASSIGN_OR_RETURN(const size_t got, file->ReadAt(0, {block.data(), block.size()}));
  block.resize(got);

  auto header = DecodeStoreHeader(block);
  if (header.ok()) {
    if (header->topic_id != expected.topic_id || header->partition != expected.partition ||
        header->base_offset != expected.base_offset) {
      return Foreign(path, *header, expected);
    }
    expected = *header;
  } else if (absl::IsUnimplemented(header.status())) {
    return absl::UnimplementedError(base::StrCat(path, ": ", header.status().message()));
  } else {
    // Both copies of the header are damaged. Its name and its log say the same things but for
    // generation and base index, which the index file repeats and the first intact entry tells.
    // Without an entry, now or ever, a last segment is a torn creation.
    CAIRN_ASSIGN_OR_RETURN(const bool has_index,
                           SparseIndex::CompleteHeader(fs, index_path, expected));
    StoreScanner scanner(*file, expected, kStoreHeaderBytes, file_size);
    std::optional<EntryHeader> first;
    while (!first) {
      CAIRN_ASSIGN_OR_RETURN(const auto step, scanner.Next());
      if (step.kind == StoreScanner::Kind::kEnd) break;
      if (step.header_intact) first = step.header;
    }
    if (!first && !options.next) {
      bool held = has_index;
      if (held) {
        CAIRN_ASSIGN_OR_RETURN(held, HeldEntries(fs, index_path, expected));
      }
      if (!held) return absl::NotFoundError(base::StrCat(path, " has no header and no entry"));
    }
    if (!has_index && first && first->base_offset == expected.base_offset) {
      expected.base_index = first->index;
    }
    report.notes.push_back(base::StrCat(path, ": ", header.status().message(),
                                        "; the header was taken from the name of the file"));
  }

  std::shared_ptr<Segment> segment(new Segment(path, expected, std::move(file)));
  CAIRN_RETURN_IF_ERROR(segment->OpenIndex(fs, index_path, report));
  if (!segment->TrustCloseMark(file_size)) {
    CAIRN_RETURN_IF_ERROR(segment->Recover(file_size, !options.next, report));
  }
  if (options.next) segment->ReachNext(*options.next, report);
  return segment;
}

absl::Status Segment::OpenIndex(env::FileSystem& fs, const std::string& index_path,
                                RecoveryReport& report) {
  auto index = SparseIndex::Open(fs, index_path, header_);
  if (!index.ok()) {
    // Row "index lost": a foreign, short or missing index is made anew from the store.
    if (!absl::IsNotFound(index.status()) && !absl::IsDataLoss(index.status())) {
      return index.status();
    }
    report.notes.push_back(base::StrCat(index.status().message(), "; rebuilding it"));
    index = SparseIndex::Create(fs, index_path, header_);
    if (!index.ok()) return index.status();
  }
  index_ = *std::move(index);
  return absl::OkStatus();
}

// Row "closed": the close mark fits the file, nothing was written since.
bool Segment::TrustCloseMark(uint64_t file_size) {
  const auto mark = index_->close_mark();
  if (!mark || mark->store_bytes != file_size || mark->entry_count > index_->entry_count()) {
    return false;
  }
  size_ = durable_ = file_size;
  end_offset_ = mark->end_offset.value();
  end_index_ = mark->end_index.value();
  last_term_ = mark->last_term.value();
  max_timestamp_ = mark->max_timestamp_ms;
  closed_ = true;
  sealed_ = mark->sealed;
  if (const auto last = mark->entry_count > 0 ? index_->At(mark->entry_count - 1) : std::nullopt) {
    last_indexed_ = last->position;
  }
  return true;
}

// Row "short segment": the next segment says where this one ended.
void Segment::ReachNext(const OpenOptions::End& next, RecoveryReport& report) {
  if (end_index() < next.index) {
    const bool reported = !report.damages.empty() && report.damages.back().file == path_ &&
                          report.damages.back().end_offset == end_offset() && damaged_tail_;
    if (reported) {
      report.damages.back().end_offset = next.offset;
      report.damages.back().end_index = next.index;
    } else {
      Damage damage;
      damage.file = path_;
      damage.position = damage.end_position = size_bytes();
      damage.first_offset = end_offset();
      damage.end_offset = next.offset;
      damage.first_index = end_index();
      damage.end_index = next.index;
      damage.what = base::StrCat("the segment ends at offset ", end_offset().value(), ", index ",
                                 end_index().value(), ", but the next one begins at offset ",
                                 next.offset.value(), ", index ", next.index.value());
      report.damages.push_back(std::move(damage));
    }
    NoteDamaged();
  }
  end_offset_ = next.offset.value();
  end_index_ = next.index.value();
}

absl::Status Segment::Recover(uint64_t file_size, bool is_last, RecoveryReport& report) {
  const auto mark = index_->durable_mark();

  // Start at the last index entry that the store confirms and that lies within what was durable:
  // before an entry that was not, others may be missing. `proof` is the largest "this much is
  // durable" found so far.
  uint64_t proof = mark ? mark->store_bytes : 0;
  uint32_t keep = index_->entry_count();
  uint64_t position = kStoreHeaderBytes;
  Offset next_offset = base_offset();
  Index next_index = base_index();
  last_term_ = header_.base_term.value();
  for (; keep > 0; --keep) {
    const auto entry = index_->At(keep - 1);
    if (!entry || uint64_t{entry->position} + kEntryHeaderBytes > file_size) continue;
    char bytes[kEntryHeaderBytes];
    CAIRN_ASSIGN_OR_RETURN(const size_t got, store_->ReadAt(entry->position, bytes));
    if (got < kEntryHeaderBytes) continue;
    const auto header = DecodeEntryHeader({bytes, got}, header_.SeedAt(entry->position));
    if (!header.ok() || header->index != entry->index || header->base_offset != entry->offset) {
      continue;
    }
    proof = std::max<uint64_t>(proof, header->durable_bytes);
    if (entry->position > proof) continue;
    position = entry->position;
    next_offset = entry->offset;
    next_index = entry->index;
    max_timestamp_ = entry->max_timestamp_ms;
    break;
  }
  // The entry at `position` is walked again and takes its index entry anew.
  if (keep > 0) --keep;
  index_->TruncateTo(keep);
  if (keep > 0) {
    if (const auto last = index_->At(keep - 1)) {
      last_indexed_ = last->position;
      last_term_ = last->term.value();
    }
  }

  end_offset_ = next_offset.value();
  end_index_ = next_index.value();

  // Walk to the end.
  std::vector<std::pair<EntryHeader, uint64_t>> entries;
  std::vector<Damage> damages;
  bool open_damage = false;
  StoreScanner scanner(*store_, header_, position, file_size);
  report.scanned_bytes += file_size - std::min(position, file_size);
  const auto open_range = [&](uint64_t at, uint64_t end, std::string_view what) {
    Damage damage;
    damage.file = path_;
    damage.position = at;
    damage.end_position = end;
    damage.first_offset = next_offset;
    damage.first_index = next_index;
    damage.what = std::string(what);
    damages.push_back(std::move(damage));
    open_damage = true;
  };
  while (true) {
    CAIRN_ASSIGN_OR_RETURN(const StoreScanner::Step step, scanner.Next());
    if (step.kind == StoreScanner::Kind::kEnd) break;
    if (step.kind == StoreScanner::Kind::kDamage) {
      if (open_damage) {
        damages.back().end_position = step.next_position;
      } else {
        open_range(step.position, step.next_position, base::StdView(step.damage.message()));
      }
      // A damaged body under an intact header still tells which records are gone, and what follows.
      if (step.header_intact && step.header.index >= next_index)
        proof = std::max<uint64_t>(proof, step.header.durable_bytes);
      continue;
    }
    const EntryHeader& header = step.header;
    if (header.index < next_index || header.base_offset < next_offset) {
      if (!open_damage) {
        open_range(step.position, step.next_position,
                   base::StrCat("index ", header.index.value(), " where ", next_index.value(),
                                " was expected"));
      }
      continue;
    }
    if (!open_damage && header.index != next_index) {
      open_range(step.position, step.position,
                 base::StrCat("index ", header.index.value(), " follows ", next_index.value() - 1));
    }
    if (open_damage) {
      damages.back().end_offset = header.base_offset;
      damages.back().end_index = header.index;
      open_damage = false;
    }
    proof = std::max<uint64_t>(proof, header.durable_bytes);
    entries.emplace_back(header, step.position);
    next_offset = header.end_offset();
    next_index = header.index + 1;
  }

  // Damage at or beyond the durable limit is a torn tail: never acknowledged. Damage below it is
  // rot.
  const uint64_t durable_limit = is_last ? std::min<uint64_t>(proof, UINT32_MAX) : UINT64_MAX;
  uint64_t end = file_size;
  for (size_t i = 0; i < damages.size(); ++i) {
    if (damages[i].position < durable_limit) continue;
    end = damages[i].position;  // row "torn tail"
    damages.resize(i);
    open_damage = false;
    break;
  }
  if (is_last && file_size < durable_limit && !open_damage) {
    open_range(file_size, durable_limit,
               base::StrCat("the file ends at byte ", file_size, ", but ", durable_limit,
                            " bytes were durable"));
  }
  for (const auto& [header, at] : entries) {
    if (at >= end) break;
    NoteEntry(header, at);
  }
  if (open_damage) {
    // Row "rotten tail": the records up to the durable mark are lost, those behind were never
    // acknowledged. The bytes stay as they are; the log goes on in a new segment.
    Damage& last = damages.back();
    damaged_tail_ = true;
    if (mark && mark->end_offset > end_offset()) {
      end_offset_ = mark->end_offset.value();
      end_index_ = mark->end_index.value();
    }
    last.end_offset = std::max(last.first_offset, end_offset());
    last.end_index = std::max(last.first_index, end_index());
  }
  if (!damages.empty()) NoteDamaged();
  if (end < file_size) {
    report.torn_bytes += file_size - end;
    report.notes.push_back(base::StrCat(path_, ": cut a torn tail of ", file_size - end,
                                        " bytes at ", end, " (never acknowledged)"));
  }
  size_ = end;
  if (is_last && !damaged_tail_) {
    // Cut also when there is nothing to cut, by way of another length: a cut whose sync failed in
    // an earlier life looks done and is not, and what it left would come back behind later entries.
    CAIRN_RETURN_IF_ERROR(store_->Truncate(end + 1));
    CAIRN_RETURN_IF_ERROR(store_->Truncate(end));
    // The header block too, unless something proves that a sync covered it.
    CAIRN_RETURN_IF_ERROR(
        RewriteTail(durable_limit > kStoreHeaderBytes ? std::min(durable_limit, end) : 0, end));
    CAIRN_RETURN_IF_ERROR(store_->Sync());
    MarkDurable();
  }
  durable_ = end;
  // A close mark that does not fit, or that an earlier life failed to take away, must not fit one
  // day.
  index_->ClearCloseMark();
  CAIRN_RETURN_IF_ERROR(index_->Sync());
  report.damages.insert(report.damages.end(), damages.begin(), damages.end());
  return absl::OkStatus();
}

// Writes [from, to) again as it is, so that the next sync carries it to the disk.
absl::Status Segment::RewriteTail(uint64_t from, uint64_t to) {
  std::string chunk;
  constexpr uint64_t kChunk = 1 << 20;
  while (from < to) {
    chunk.resize(static_cast<size_t>(std::min(kChunk, to - from)));
    CAIRN_ASSIGN_OR_RETURN(const size_t got, store_->ReadAt(from, {chunk.data(), chunk.size()}));
    if (got < chunk.size()) {
      return absl::DataLossError(base::StrCat(path_, " shrank while it was read"));
    }
    const std::string_view buffers[] = {chunk};
    CAIRN_RETURN_IF_ERROR(store_->WriteAt(from, buffers));
    from += got;
  }
  return absl::OkStatus();
}

}  // namespace cairn::log
