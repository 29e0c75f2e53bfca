#include "log/segment.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "env/files.h"

namespace cairn::log {
namespace {

constexpr std::string_view kStoreSuffix = ".store";
constexpr std::string_view kIndexSuffix = ".index";
constexpr size_t kNameDigits = 20;
// Bodies up to this size are copied behind their header into one buffer; larger ones are written
// from where they are. Copying 4 KiB costs less than one more element of the vector passed to the
// kernel.
constexpr size_t kGatherBytes = 4096;

}  // namespace

std::string StoreFileName(Offset base_offset) {
  return absl::StrFormat("%020d%s", base_offset.value(), kStoreSuffix);
}

std::string IndexFileName(Offset base_offset) {
  return absl::StrFormat("%020d%s", base_offset.value(), kIndexSuffix);
}

std::optional<Offset> ParseStoreFileName(std::string_view name) {
  if (name.size() != kNameDigits + kStoreSuffix.size() || !name.ends_with(kStoreSuffix)) {
    return std::nullopt;
  }
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + kNameDigits, value);
  if (error != std::errc() || end != name.data() + kNameDigits) return std::nullopt;
  return Offset(value);
}

absl::StatusOr<std::shared_ptr<Segment>> Segment::Create(env::FileSystem& fs,
                                                         const std::string& directory,
                                                         const StoreHeader& header) {
  const std::string path = env::JoinPath(directory, StoreFileName(header.base_offset));
  const std::string index_path = env::JoinPath(directory, IndexFileName(header.base_offset));
  // An index that outlived its store must be gone for good before there is a store that it might be
  // taken to belong to.
  if (const absl::Status removed = fs.RemoveFile(index_path); removed.ok()) {
    CAIRN_RETURN_IF_ERROR(fs.SyncDir(directory));
  } else if (!absl::IsNotFound(removed)) {
    return removed;
  }
  CAIRN_ASSIGN_OR_RETURN(auto file, fs.Open(path, env::OpenMode::kCreate));
  std::shared_ptr<Segment> segment(new Segment(path, header, std::move(file)));
  const std::string block = EncodeStoreHeader(header);
  const std::string_view buffers[] = {block};
  CAIRN_RETURN_IF_ERROR(segment->store_->WriteAt(0, buffers));
  CAIRN_RETURN_IF_ERROR(segment->store_->Sync());
  CAIRN_ASSIGN_OR_RETURN(segment->index_, SparseIndex::Create(fs, index_path, header));
  CAIRN_RETURN_IF_ERROR(fs.SyncDir(directory));
  segment->size_ = kStoreHeaderBytes;
  segment->durable_ = kStoreHeaderBytes;
  segment->end_offset_ = header.base_offset.value();
  segment->end_index_ = header.base_index.value();
  segment->last_term_ = header.base_term.value();
  return segment;
}

absl::Status Segment::Write(std::span<const Entry> entries) {
  CAIRN_CHECK(!closed_ && !failed_ && !damaged_tail_, "a write needs an open, intact segment");
  const uint64_t start = size_bytes();
  // Headers and small bodies go to `gathered`, whose final size is known before the first view is
  // taken.
  size_t gathered_bytes = 0;
  for (const Entry& entry : entries) {
    gathered_bytes += kEntryHeaderBytes;
    if (entry.header.body_bytes <= kGatherBytes) gathered_bytes += entry.header.body_bytes;
  }
  std::string gathered;
  gathered.reserve(gathered_bytes);
  std::vector<std::string_view> buffers;
  uint64_t position = start;
  size_t run_start = 0;
  const auto end_run = [&] {
    if (gathered.size() > run_start) {
      buffers.emplace_back(gathered.data() + run_start, gathered.size() - run_start);
    }
    run_start = gathered.size();
  };
  for (const Entry& entry : entries) {
    EntryHeader header = entry.header;
    header.durable_bytes = static_cast<uint32_t>(durable_);
    char encoded[kEntryHeaderBytes];
    EncodeEntryHeader(header, header_.SeedAt(position), encoded);
    gathered.append(encoded, kEntryHeaderBytes);
    if (header.body_bytes <= kGatherBytes) {
      gathered.append(entry.body());
    } else {
      end_run();
      buffers.push_back(entry.body());
    }
    position += entry.size_bytes();
  }
  end_run();

  if (absl::Status status = store_->WriteAt(start, buffers); !status.ok()) {
    // An unknown part was written: cut it off, so that the file ends with a whole entry again.
    absl::Status cut = store_->Truncate(start);
    if (cut.ok()) cut = store_->Sync();
    failed_ = !cut.ok();
    return status;
  }
  position = start;
  for (const Entry& entry : entries) {
    NoteEntry(entry.header, position);
    position += entry.size_bytes();
  }
  size_.store(position, std::memory_order_release);
  return absl::OkStatus();
}

// Takes an entry at `position` into the segment's bounds and the index.
void Segment::NoteEntry(const EntryHeader& header, uint64_t position) {
  max_timestamp_.store(std::max(max_timestamp_ms(), header.max_timestamp_ms),
                       std::memory_order_relaxed);
  const bool first = index_->entry_count() == 0;
  if (first || position - last_indexed_ >= kIndexIntervalBytes || header.term != last_term()) {
    const bool added =
        index_->Append({header.base_offset, header.index, static_cast<uint32_t>(position),
                        header.term, max_timestamp_ms()});
    if (added) last_indexed_ = position;
  }
  last_term_.store(header.term.value(), std::memory_order_relaxed);
  end_offset_.store(header.end_offset().value(), std::memory_order_release);
  end_index_.store(header.index.value() + 1, std::memory_order_release);
}

void Segment::MarkDurable() {
  durable_ = size_bytes();
  index_->SetDurableMark({static_cast<uint32_t>(durable_), end_offset(), end_index()});
}

absl::Status Segment::Close(bool sealed) {
  if (closed_ && sealed_ == sealed) return absl::OkStatus();
  if (durable_ < size_bytes()) {
    if (absl::Status status = store_->Sync(); !status.ok()) {
      failed_ = true;
      return status;
    }
    MarkDurable();
  }
  if (damaged()) return absl::OkStatus();  // no mark: the next opening looks for itself
  CAIRN_RETURN_IF_ERROR(index_->Trim());
  CloseMark mark;
  mark.store_bytes = static_cast<uint32_t>(size_bytes());
  mark.entry_count = index_->entry_count();
  mark.end_offset = end_offset();
  mark.end_index = end_index();
  mark.last_term = last_term();
  mark.max_timestamp_ms = max_timestamp_ms();
  mark.sealed = sealed;
  // From here on the mark may reach the disk, whatever Sync says: Reopen has to take it away.
  index_->SetCloseMark(mark);
  closed_ = true;
  sealed_ = sealed;
  return index_->Sync();
}

absl::Status Segment::Distrust() {
  index_->ClearCloseMark();
  index_->TruncateTo(0);
  return index_->Sync();
}

absl::Status Segment::Reopen() {
  if (!closed_) return absl::OkStatus();
  index_->ClearCloseMark();
  CAIRN_RETURN_IF_ERROR(index_->Sync());
  closed_ = false;
  sealed_ = false;
  return absl::OkStatus();
}

absl::Status Segment::TruncateSuffix(Index from) {
  if (from >= end_index()) return absl::OkStatus();
  CAIRN_CHECK(from >= base_index(), "the log truncates only segments that hold the index");
  CAIRN_RETURN_IF_ERROR(Reopen());

  // Walk from the last index entry before `from` to its position, collecting what stays.
  uint32_t keep = index_->entry_count();
  std::optional<IndexEntry> start;
  while (keep > 0 && (!(start = index_->At(keep - 1)) || start->index >= from)) --keep;
  if (keep == 0) start.reset();
  uint64_t position = start ? start->position : kStoreHeaderBytes;
  Offset cut_offset = start ? start->offset : base_offset();
  int64_t max_timestamp = start ? start->max_timestamp_ms : INT64_MIN;
  Term term = start ? start->term : header_.base_term;
  Index index = start ? start->index : base_index();
  char bytes[kEntryHeaderBytes];
  while (index < from) {
    CAIRN_ASSIGN_OR_RETURN(const size_t got, store_->ReadAt(position, bytes));
    if (got < kEntryHeaderBytes) {
      return absl::DataLossError(base::StrCat(path_, " ends before index ", from.value()));
    }
    CAIRN_ASSIGN_OR_RETURN(const EntryHeader header,
                           DecodeEntryHeader({bytes, got}, header_.SeedAt(position)));
    position += kEntryHeaderBytes + header.body_bytes;
    cut_offset = header.end_offset();
    max_timestamp = std::max(max_timestamp, header.max_timestamp_ms);
    term = header.term;
    index = header.index + 1;
  }

  // The marks go down before the bytes go: a mark above the end would call the cut rot.
  durable_ = std::min(durable_, position);
  index_->TruncateTo(keep);
  index_->SetDurableMark({static_cast<uint32_t>(durable_), cut_offset, from});
  CAIRN_RETURN_IF_ERROR(index_->Sync());
  end_offset_.store(cut_offset.value(), std::memory_order_release);
  end_index_.store(from.value(), std::memory_order_release);
  size_.store(position, std::memory_order_release);
  max_timestamp_.store(max_timestamp, std::memory_order_relaxed);
  last_term_.store(term.value(), std::memory_order_relaxed);
  last_indexed_ = start ? start->position : 0;
  damaged_tail_ = false;  // it ends behind an entry again
  absl::Status status = store_->Truncate(position);
  if (status.ok()) status = store_->Sync();
  if (!status.ok()) {
    failed_ = true;
    return status;
  }
  MarkDurable();
  return absl::OkStatus();
}

}  // namespace cairn::log
