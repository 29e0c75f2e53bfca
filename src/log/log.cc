#include "log/log.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/error_info.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "env/files.h"

namespace cairn::log {

Log::Log(env::FileSystem& fs, env::Clock& clock, const LogOptions& options)
    : fs_(fs), clock_(clock), options_(options) {
  if (options_.tail_cache != nullptr) cache_id_ = options_.tail_cache->NewLog();
}

Log::~Log() {
  if (options_.tail_cache != nullptr) options_.tail_cache->RemoveLog(cache_id_);
}

Log::Segments Log::segments() const {
  base::MutexLock lock(mutex_);
  return segments_;
}

void Log::SetSegments(Segments segments) {
  base::MutexLock lock(mutex_);
  segments_ = std::move(segments);
}

int Log::FindOffset(const Segments& segments, Offset offset) {
  const auto it = std::partition_point(
      segments.begin(), segments.end(),
      [offset](const auto& segment) { return segment->base_offset() <= offset; });
  return static_cast<int>(it - segments.begin()) - 1;
}

int Log::FindIndex(const Segments& segments, Index index) {
  const auto it =
      std::partition_point(segments.begin(), segments.end(),
                           [index](const auto& segment) { return segment->base_index() <= index; });
  return static_cast<int>(it - segments.begin()) - 1;
}

StoreHeader Log::HeaderFor(Offset base_offset, Index base_index, Term base_term) const {
  StoreHeader header;
  header.topic_id = options_.topic_id;
  header.partition = options_.partition;
  header.generation = start_.generation;
  header.base_offset = base_offset;
  header.base_index = base_index;
  header.base_term = base_term;
  header.created_ms = clock_.WallMs();
  return header;
}

void Log::PublishBounds() {
  start_offset_.store(start_.offset.value(), std::memory_order_release);
  end_offset_.store(active_->end_offset().value(), std::memory_order_release);
  end_index_.store(active_->end_index().value(), std::memory_order_release);
  base::MutexLock lock(mutex_);
  first_index_.store(segments_.front()->base_index().value(), std::memory_order_release);
}

void Log::SetLimits(uint64_t segment_bytes, int64_t segment_ms) {
  options_.segment_bytes = std::clamp(segment_bytes, kMinSegmentBytes, kMaxSegmentBytes);
  options_.segment_ms = segment_ms;
}

// ---- append ----

bool Log::NeedsRoll(uint64_t more_bytes) const {
  const uint64_t size = active_->size_bytes();
  if (active_->damaged_tail()) return true;
  // Empty, or with nothing in it that takes an offset: the next one would have its name.
  if (active_->end_offset() == active_->base_offset()) return false;
  if (size + more_bytes > options_.segment_bytes) return true;
  // A clock that stepped back gives a negative age, which is not old.
  return clock_.WallMs() - active_->header().created_ms >= options_.segment_ms;
}

absl::Status Log::AppendSegment(Offset base_offset, Index base_index, Term base_term) {
  auto created =
      Segment::Create(fs_, options_.directory, HeaderFor(base_offset, base_index, base_term));
  if (!created.ok()) {
    // Half a segment must not come back: entries that the one before gets instead would be taken
    // for damage.
    if (!absl::IsAlreadyExists(created.status())) {
      absl::Status removed = RemoveSegmentFiles(base_offset);
      if (removed.ok()) removed = fs_.SyncDir(options_.directory);
      if (!removed.ok()) failed_ = true;
    }
    return created.status();
  }
  std::shared_ptr<Segment> segment = *std::move(created);
  Segments list = segments();
  list.push_back(segment);
  active_ = std::move(segment);
  SetSegments(std::move(list));
  return absl::OkStatus();
}

// Everything before the next segment is durable before that segment exists: damage in any segment
// but the last is therefore never a torn write.
absl::Status Log::Roll() {
  const std::shared_ptr<Segment> old = active_;
  if (!old->damaged_tail() && old->durable_bytes() < old->size_bytes()) {
    if (const absl::Status synced = old->store_file().Sync(); !synced.ok()) {
      failed_ = true;
      return synced;
    }
    old->MarkDurable();
  }
  CAIRN_RETURN_IF_ERROR(AppendSegment(old->end_offset(), old->end_index(), old->last_term()));
  // The seal comes after its successor: a sealed last segment proves that the log's end is missing.
  return old->Close(/*sealed=*/true);
}

absl::Status Log::WriteRuns(std::span<const Entry> entries) {
  while (!entries.empty()) {
    if (NeedsRoll(entries.front().size_bytes())) CAIRN_RETURN_IF_ERROR(Roll());
    CAIRN_RETURN_IF_ERROR(active_->Reopen());
    size_t count = 1;
    uint64_t bytes = active_->size_bytes() + entries.front().size_bytes();
    while (count < entries.size() &&
           bytes + entries[count].size_bytes() <= options_.segment_bytes) {
      bytes += entries[count++].size_bytes();
    }
    CAIRN_RETURN_IF_ERROR(active_->Write(entries.first(count)));
    entries = entries.subspan(count);
  }
  return absl::OkStatus();
}

absl::Status Log::Rollback(Index from) {
  if (active_->failed()) return absl::InternalError("the active segment failed");
  return TruncateSuffix(from);
}

absl::Status Log::Write(std::span<const Entry> entries) {
  if (failed_) return absl::FailedPreconditionError("the log failed; open it again");
  if (entries.empty()) return absl::OkStatus();
  Index index = end_index();
  Offset offset = end_offset();
  Term term = last_term();
  for (const Entry& entry : entries) {
    CAIRN_CHECK(entry.header.index == index && entry.header.base_offset == offset,
                "entries continue the log");
    CAIRN_CHECK(entry.header.term >= term, "terms never go back");
    index = entry.header.index + 1;
    offset = entry.header.end_offset();
    term = entry.header.term;
  }
  if (absl::Status status = WriteRuns(entries); !status.ok()) {
    if (!failed_ && !Rollback(entries.front().header.index).ok()) failed_ = true;
    return status;
  }
  if (options_.tail_cache != nullptr) options_.tail_cache->Append(cache_id_, entries);
  PublishBounds();
  return absl::OkStatus();
}

absl::Status Log::Sync() {
  Log* const self = this;
  absl::Status status;
  SyncLogs(fs_, {&self, 1}, {&status, 1});
  return status;
}

void SyncLogs(env::FileSystem& fs, std::span<Log* const> logs, std::span<absl::Status> results) {
  std::vector<env::File*> files;
  std::vector<size_t> which;
  for (size_t i = 0; i < logs.size(); ++i) {
    results[i] = absl::OkStatus();
    Segment& active = *logs[i]->active_;
    if (logs[i]->failed_) {
      results[i] = absl::FailedPreconditionError("the log failed; open it again");
    } else if (active.durable_bytes() < active.size_bytes()) {
      files.push_back(&active.store_file());
      which.push_back(i);
    }
  }
  std::vector<absl::Status> synced(files.size());
  fs.SyncAll(files, synced);
  for (size_t i = 0; i < files.size(); ++i) {
    Log& log = *logs[which[i]];
    if (synced[i].ok()) {
      log.active_->MarkDurable();
    } else {
      log.failed_ = true;
      results[which[i]] = std::move(synced[i]);
    }
  }
}

// ---- truncate, delete, reset, close ----

absl::Status Log::RemoveSegmentFiles(Offset base) {
  // The index first: it is nothing without its store, and must not be found beside another one.
  for (const std::string& name : {IndexFileName(base), StoreFileName(base)}) {
    const absl::Status removed = fs_.RemoveFile(env::JoinPath(options_.directory, name));
    if (!removed.ok() && !absl::IsNotFound(removed)) return removed;
  }
  return absl::OkStatus();
}

// All that can be; the disk may refuse one of them, and let go of it the next time.
absl::Status Log::RemoveVictims() {
  if (victims_.empty()) return absl::OkStatus();
  absl::Status status;
  std::erase_if(victims_, [&](Offset base) {
    const absl::Status removed = RemoveSegmentFiles(base);
    status.Update(removed);
    return removed.ok();
  });
  status.Update(fs_.SyncDir(options_.directory));
  return status;
}

absl::Status Log::TruncateSuffix(Index from) {
  if (failed_) return absl::FailedPreconditionError("the log failed; open it again");
  Segments list = segments();
  if (from < list.front()->base_index()) {
    return absl::OutOfRangeError(base::StrCat("cannot cut at index ", from.value(),
                                              ": the log begins at ",
                                              list.front()->base_index().value()));
  }
  if (from >= active_->end_index()) return absl::OkStatus();
  if (options_.tail_cache != nullptr) options_.tail_cache->TruncateSuffix(cache_id_, from);
  // Later segments go first, newest first, each durably: a crash in between leaves a shorter log,
  // no hole. Their predecessor loses its seal before that, or it would testify to a successor that
  // is gone.
  failed_ = true;  // until all steps are done
  while (list.back()->base_index() > from ||
         (list.back()->base_index() == from && list.size() > 1)) {
    const Offset base = list.back()->base_offset();
    list.pop_back();
    CAIRN_RETURN_IF_ERROR(list.back()->Reopen());
    active_ = list.back();
    SetSegments(list);
    CAIRN_RETURN_IF_ERROR(RemoveSegmentFiles(base));
    CAIRN_RETURN_IF_ERROR(fs_.SyncDir(options_.directory));
  }
  CAIRN_RETURN_IF_ERROR(active_->TruncateSuffix(from));
  failed_ = false;
  PublishBounds();
  ForgetOldDamages();
  return absl::OkStatus();
}

absl::Status Log::DeletePrefix(Offset offset) {
  if (failed_) return absl::FailedPreconditionError("the log failed; open it again");
  if (offset <= start_.offset) return RemoveVictims();
  if (offset > end_offset()) {
    return absl::OutOfRangeError(base::StrCat("cannot start the log at offset ", offset.value(),
                                              ": it ends at ", end_offset().value()));
  }
  Segments list = segments();
  const auto kept = list.begin() + std::max(0, FindOffset(list, offset));
  LogStart start = start_;
  start.offset = offset;
  // What is durable says so before the start does: an entry before it that a flipped bit has made
  // unreadable would be taken for a torn tail otherwise, and the log for one that lost its end.
  if (kept + 1 == list.end()) CAIRN_RETURN_IF_ERROR(active_->SyncDurableMark());
  // The start is durable before a file goes: a crash in between leaves leftovers, which Open
  // removes.
  start_unsure_ = true;
  if (const absl::Status written = WriteLogStart(fs_, options_.directory, start); !written.ok()) {
    // Until the next clean close has written it again, the next opening has to.
    if (active_->closed()) failed_ = !active_->Reopen().ok();
    return written;
  }
  start_unsure_ = false;
  start_ = start;
  for (auto victim = list.begin(); victim != kept; ++victim) {
    victims_.push_back((*victim)->base_offset());
  }
  list.erase(list.begin(), kept);
  SetSegments(std::move(list));
  PublishBounds();
  ForgetOldDamages();
  return RemoveVictims();
}

absl::Status Log::ApplyRetention(const RetentionPolicy& policy, Offset limit) {
  if (failed_) return absl::FailedPreconditionError("the log failed; open it again");
  if (active_->size_bytes() > kStoreHeaderBytes && NeedsRoll(0)) CAIRN_RETURN_IF_ERROR(Roll());
  const Segments list = segments();
  uint64_t total = size_bytes();
  const int64_t now = clock_.WallMs();
  Offset start = start_.offset;
  for (size_t i = 0; i + 1 < list.size() && list[i]->end_offset() <= limit; ++i) {
    const uint64_t size = list[i]->size_bytes();
    const bool too_much = policy.bytes >= 0 && total - size >= static_cast<uint64_t>(policy.bytes);
    const bool too_old = policy.ms >= 0 && list[i]->max_timestamp_ms() < now - policy.ms;
    if (!too_much && !too_old) break;
    total -= size;
    start = list[i]->end_offset();
  }
  return DeletePrefix(start);
}

absl::Status Log::Reset(LogStart start) {
  start.generation = start_.generation + 1;
  start.pending = true;
  failed_ = true;  // until all steps are done
  CAIRN_RETURN_IF_ERROR(WriteLogStart(fs_, options_.directory, start));
  if (options_.tail_cache != nullptr) {
    options_.tail_cache->TruncateSuffix(cache_id_, Index(0));
  }
  // From here on the old files are leftovers of another generation, whether they are removed or
  // not.
  for (const auto& segment : segments()) victims_.push_back(segment->base_offset());
  CAIRN_RETURN_IF_ERROR(RemoveVictims());
  {
    base::MutexLock lock(mutex_);
    segments_.clear();
    damages_.clear();
    damaged_ = false;
  }
  start_ = start;
  CAIRN_RETURN_IF_ERROR(AppendSegment(start.offset, start.index, start.term));
  start_.pending = false;
  CAIRN_RETURN_IF_ERROR(WriteLogStart(fs_, options_.directory, start_));
  failed_ = false;
  PublishBounds();
  return absl::OkStatus();
}

absl::Status Log::Close() {
  if (failed_) return absl::FailedPreconditionError("the log failed; open it again");
  if (closed_) return absl::OkStatus();
  for (const auto& segment : segments()) {
    // What reads found since is looked for again by the next opening.
    if (segment->damaged()) CAIRN_RETURN_IF_ERROR(segment->Distrust());
  }
  if (active_->damaged_tail()) return absl::OkStatus();
  if (start_unsure_) CAIRN_RETURN_IF_ERROR(WriteLogStart(fs_, options_.directory, start_));
  const absl::Status closed = active_->Close(/*sealed=*/false);
  failed_ = !closed.ok();
  closed_ = closed.ok();
  return closed;
}

}  // namespace cairn::log
