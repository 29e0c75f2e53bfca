// Log::Create and Log::Open: which files belong to the log, and in which order they are believed.
#include <algorithm>
#include <set>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "env/files.h"
#include "log/log.h"

namespace cairn::log {
namespace {

absl::Status ValidateOptions(const LogOptions& options) {
  if (options.segment_bytes < kMinSegmentBytes || options.segment_bytes > kMaxSegmentBytes) {
    return absl::InvalidArgumentError(base::StrCat("segment_bytes is ", options.segment_bytes,
                                                   ", expected ", kMinSegmentBytes, " to ",
                                                   kMaxSegmentBytes));
  }
  if (options.segment_ms <= 0) {
    return absl::InvalidArgumentError(
        base::StrCat("segment_ms is ", options.segment_ms, ", expected at least 1"));
  }
  return absl::OkStatus();
}

// Names in a partition's directory that are not segments and are no surprise. Other layers add
// theirs here by the suffix ".snapshot" (broker: producer states).
bool IsKnownName(const std::string& name) {
  return name == "log-start" || name == kRepairDirectory || name.ends_with(".new") ||
         name.ends_with(".snapshot") ||
         (name.ends_with(".index") &&
          ParseStoreFileName(name.substr(0, name.size() - 6) + ".store"));
}

}  // namespace

absl::Status Log::Create(env::FileSystem& fs, env::Clock& clock, const LogOptions& options,
                         LogStart start) {
  CAIRN_RETURN_IF_ERROR(ValidateOptions(options));
  Log log(fs, clock, options);
  log.start_ = start;
  log.start_.pending = true;
  CAIRN_RETURN_IF_ERROR(WriteLogStart(fs, options.directory, log.start_));
  CAIRN_RETURN_IF_ERROR(log.AppendSegment(start.offset, start.index, start.term));
  log.start_.pending = false;
  CAIRN_RETURN_IF_ERROR(WriteLogStart(fs, options.directory, log.start_));
  log.PublishBounds();
  return log.Close();
}

absl::StatusOr<std::unique_ptr<Log>> Log::Open(env::FileSystem& fs, env::Clock& clock,
                                               const LogOptions& options, RecoveryReport& report) {
  CAIRN_RETURN_IF_ERROR(ValidateOptions(options));
  std::unique_ptr<Log> log(new Log(fs, clock, options));
  CAIRN_RETURN_IF_ERROR(log->OpenSegments(report));
  return log;
}

// Removes what is certainly not part of the log: files of an earlier generation, and segments
// wholly before the start (their removal was under way when the process ended). Keeps the rest in
// `bases`.
absl::Status Log::RemoveLeftovers(std::vector<Offset>& bases, RecoveryReport& report) {
  std::vector<Offset> kept;
  bool removed = false;
  const auto remove = [&](Offset base, std::string_view why) {
    removed = true;
    report.notes.push_back(
        base::StrCat("removed ", options_.directory, "/", StoreFileName(base), ": ", why));
    return RemoveSegmentFiles(base);
  };
  // From the last to the first: a segment goes only when the one behind it is a real one.
  bool next_is_whole = false;
  for (size_t i = bases.size(); i-- > 0;) {
    CAIRN_ASSIGN_OR_RETURN(const auto file,
                           fs_.Open(env::JoinPath(options_.directory, StoreFileName(bases[i])),
                                    env::OpenMode::kReadOnly));
    std::string block(kStoreHeaderBytes, '\0');
    CAIRN_ASSIGN_OR_RETURN(const size_t got, file->ReadAt(0, {block.data(), block.size()}));
    const auto header = DecodeStoreHeader(std::string_view(block).substr(0, got));
    if (header.ok() && header->topic_id == options_.topic_id &&
        header->generation < start_.generation) {
      CAIRN_RETURN_IF_ERROR(remove(bases[i], "it is from before the log was reset"));
    } else if (next_is_whole && kept.front() <= start_.offset) {
      CAIRN_RETURN_IF_ERROR(remove(bases[i], "the log starts behind it"));
    } else {
      kept.insert(kept.begin(), bases[i]);
      next_is_whole = header.ok();
    }
  }
  if (removed) CAIRN_RETURN_IF_ERROR(fs_.SyncDir(options_.directory));
  bases = std::move(kept);
  return absl::OkStatus();
}

// Whether the segment at `base`, which is not the first, is what a roll has left that failed:
// empty, and its name may not be durable although it is there. Nothing was acknowledged in it, and
// it must not take any: it goes, and a roll that succeeds makes it anew.
absl::StatusOr<bool> Log::IsTornRoll(Offset before, Offset base, bool is_last) const {
  CAIRN_ASSIGN_OR_RETURN(
      const auto file,
      fs_.Open(env::JoinPath(options_.directory, StoreFileName(base)), env::OpenMode::kReadOnly));
  CAIRN_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  if (size > kStoreHeaderBytes) return false;
  // Null when there is none.
  const auto index_of = [this](Offset offset) -> absl::StatusOr<std::unique_ptr<SparseIndex>> {
    const std::string path = env::JoinPath(options_.directory, IndexFileName(offset));
    StoreHeader header = HeaderFor(offset, start_.index, start_.term);
    CAIRN_ASSIGN_OR_RETURN(const bool complete, SparseIndex::CompleteHeader(fs_, path, header));
    if (!complete) return nullptr;
    auto index = SparseIndex::Open(fs_, path, header);
    if (absl::IsDataLoss(index.status())) return nullptr;
    return index;
  };
  CAIRN_ASSIGN_OR_RETURN(const auto own, index_of(base));
  if (own != nullptr) {
    const auto mark = own->durable_mark();
    if (mark && mark->store_bytes > kStoreHeaderBytes) return false;  // it has lost them
  }
  if (!is_last) return true;
  // The seal comes after a successor that is durable.
  CAIRN_ASSIGN_OR_RETURN(const auto index, index_of(before));
  const auto mark = index != nullptr ? index->close_mark() : std::nullopt;
  return !mark || !mark->sealed || mark->end_offset != base;
}

absl::Status Log::RemoveTornRolls(std::vector<Offset>& bases, RecoveryReport& report) {
  // The last one is judged by the one before it, so it comes last.
  for (size_t i = 1; i < bases.size();) {
    const bool is_last = i + 1 == bases.size();
    CAIRN_ASSIGN_OR_RETURN(const bool torn, IsTornRoll(bases[i - 1], bases[i], is_last));
    if (!torn) {
      ++i;
      continue;
    }
    report.notes.push_back(base::StrCat("removed ", options_.directory, "/",
                                        StoreFileName(bases[i]), ": a roll that failed"));
    CAIRN_RETURN_IF_ERROR(RemoveSegmentFiles(bases[i]));
    CAIRN_RETURN_IF_ERROR(fs_.SyncDir(options_.directory));
    bases.erase(bases.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return absl::OkStatus();
}

// Opens the segments from the last to the first, because each one's end is where the next begins.
absl::StatusOr<Log::Segments> Log::LoadSegments(std::vector<Offset> bases, RecoveryReport& report) {
  Segments list;
  std::optional<Segment::OpenOptions::End> next;
  for (size_t i = bases.size(); i-- > 0;) {
    auto segment = Segment::Open(
        fs_, {options_.directory, HeaderFor(bases[i], start_.index, start_.term), next}, report);
    if (!segment.ok() && absl::IsNotFound(segment.status()) && !next && i > 0) {
      // A roll that did not finish: nothing was acknowledged in this file.
      report.notes.push_back(base::StrCat("removed ", segment.status().message()));
      CAIRN_RETURN_IF_ERROR(RemoveSegmentFiles(bases[i]));
      CAIRN_RETURN_IF_ERROR(fs_.SyncDir(options_.directory));
      continue;
    }
    if (!segment.ok()) return segment.status();
    next = Segment::OpenOptions::End{(*segment)->base_offset(), (*segment)->base_index()};
    list.push_back(*std::move(segment));
  }
  std::reverse(list.begin(), list.end());
  return list;
}

absl::Status Log::OpenSegments(RecoveryReport& report) {
  const std::string& directory = options_.directory;
  CAIRN_ASSIGN_OR_RETURN(start_, ReadLogStart(fs_, directory));
  CAIRN_ASSIGN_OR_RETURN(const auto names, fs_.List(directory));
  std::vector<Offset> bases;
  for (const auto& entry : names) {
    if (const auto base = ParseStoreFileName(entry.name); base && !entry.is_directory) {
      bases.push_back(*base);
    } else if (!IsKnownName(entry.name)) {
      report.notes.push_back(
          base::StrCat(directory, "/", entry.name, " is not one of cairn's files; left alone"));
    }
  }
  std::sort(bases.begin(), bases.end());
  CAIRN_RETURN_IF_ERROR(env::RemoveTree(fs_, env::JoinPath(directory, kRepairDirectory)));
  CAIRN_RETURN_IF_ERROR(RemoveLeftovers(bases, report));

  Segments list;
  if (start_.pending) {
    // Creation or reset was interrupted: nothing was acknowledged since. Make the first segment
    // again.
    for (const Offset base : bases) CAIRN_RETURN_IF_ERROR(RemoveSegmentFiles(base));
    CAIRN_RETURN_IF_ERROR(AppendSegment(start_.offset, start_.index, start_.term));
    start_.pending = false;
    CAIRN_RETURN_IF_ERROR(WriteLogStart(fs_, directory, start_));
    list = segments();
  } else {
    if (bases.empty()) {
      return absl::DataLossError(base::StrCat(
          directory, " has no store file; the log began at offset ", start_.offset.value()));
    }
    CAIRN_RETURN_IF_ERROR(RemoveTornRolls(bases, report));
    CAIRN_ASSIGN_OR_RETURN(list, LoadSegments(std::move(bases), report));
    SetSegments(list);
    active_ = list.back();
    // An earlier life may have failed to make its last change durable; what it left looks as if it
    // were.
    // On a full disk it has to wait for the next clean close.
    if (!active_->closed()) {
      const absl::Status written = WriteLogStart(fs_, directory, start_);
      start_unsure_ = absl::IsResourceExhausted(written);
      if (!start_unsure_) CAIRN_RETURN_IF_ERROR(written);
    }
  }
  CAIRN_RETURN_IF_ERROR(CheckEnds(report));
  CAIRN_RETURN_IF_ERROR(RemoveOrphanIndexes(names));
  PublishBounds();
  return absl::OkStatus();
}

// What is missing before the first segment and behind the last one.
absl::Status Log::CheckEnds(RecoveryReport& report) {
  const std::string& directory = options_.directory;
  if (active_->sealed_on_disk()) {
    return absl::DataLossError(
        base::StrCat("the store file that follows ", active_->path(),
                     " is missing; restore it, or the length of the log is unknown"));
  }
  const auto first = segments().front();
  if (first->base_offset() > start_.offset) {
    report.damages.push_back(
        {directory, 0, 0, start_.offset, first->base_offset(),
         base::StrCat("the store files before ", first->path(), " are missing")});
  }
  std::sort(report.damages.begin(), report.damages.end(),
            [](const Damage& a, const Damage& b) { return a.first_offset < b.first_offset; });
  {
    base::MutexLock lock(mutex_);
    damages_ = report.damages;
    damaged_ = !damages_.empty();
  }
  if (start_.offset > active_->end_offset()) {
    return absl::DataLossError(base::StrCat(directory, " ends at offset ",
                                            active_->end_offset().value(), ", before its start ",
                                            start_.offset.value()));
  }
  return absl::OkStatus();
}

// An index that outlived its store must not be met by a new store of the same base offset: its
// marks would testify to records that were never in it.
absl::Status Log::RemoveOrphanIndexes(const std::vector<env::DirectoryEntry>& names) {
  std::set<std::string> known;
  for (const auto& segment : segments()) known.insert(IndexFileName(segment->base_offset()));
  bool removed = false;
  for (const auto& entry : names) {
    if (entry.is_directory || !entry.name.ends_with(".index") || !IsKnownName(entry.name) ||
        known.contains(entry.name)) {
      continue;
    }
    const absl::Status status = fs_.RemoveFile(env::JoinPath(options_.directory, entry.name));
    if (!status.ok() && !absl::IsNotFound(status)) return status;
    removed = true;
  }
  return removed ? fs_.SyncDir(options_.directory) : absl::OkStatus();
}

}  // namespace cairn::log
