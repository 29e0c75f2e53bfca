// The reading half of Log. Any thread.
#include <algorithm>
#include <utility>

#include "base/error_info.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "log/log.h"
#include "log/records.h"

namespace cairn::log {
namespace {

absl::Status BeforeStart(std::string_view what, uint64_t asked, uint64_t start) {
  return base::MakeError(absl::StatusCode::kOutOfRange,
                         base::StrCat(what, " ", asked, " is before the start of the log, ", start),
                         base::reason::kOffsetOutOfRange, {{"log_start", base::StrCat(start)}});
}

}  // namespace

Term Log::last_term() const {
  base::MutexLock lock(mutex_);
  return segments_.back()->last_term();
}

LogStart Log::first() const {
  base::MutexLock lock(mutex_);
  const StoreHeader& header = segments_.front()->header();
  return {.offset = header.base_offset, .index = header.base_index, .term = header.base_term};
}

uint64_t Log::size_bytes() const {
  base::MutexLock lock(mutex_);
  uint64_t total = 0;
  for (const auto& segment : segments_) total += segment->size_bytes();
  return total;
}

size_t Log::segment_count() const {
  base::MutexLock lock(mutex_);
  return segments_.size();
}

std::vector<Damage> Log::damages() const {
  base::MutexLock lock(mutex_);
  return damages_;
}

absl::StatusOr<std::vector<Entry>> Log::Read(Offset from, Offset limit, size_t max_bytes) const {
  if (from < start_offset()) return BeforeStart("offset", from.value(), start_offset().value());
  std::vector<Entry> entries;
  if (from >= limit) return entries;
  if (options_.tail_cache != nullptr &&
      options_.tail_cache->ReadOffsets(cache_id_, from, limit, max_bytes, entries)) {
    return entries;
  }
  const Segments list = segments();
  int at = FindOffset(list, from);
  if (at < 0) {
    return DamageError({options_.directory, 0, 0, from, list.front()->base_offset(),
                        "the store files that held these records are missing"});
  }
  size_t taken = 0;
  for (; static_cast<size_t>(at) < list.size() && taken < max_bytes; ++at) {
    const Segment& segment = *list[static_cast<size_t>(at)];
    if (segment.base_offset() >= limit) break;
    const Offset first = std::max(from, segment.base_offset());
    Segment::ReadOptions options;
    options.from_offset = first;
    options.limit_offset = limit;
    options.max_bytes = max_bytes - taken;
    const size_t before = entries.size();
    Damage damage;
    const absl::Status status = segment.Read(options, entries, &damage);
    if (!status.ok()) {
      if (absl::IsDataLoss(status)) NoteDamage(segment, damage);
      if (before > 0) return entries;  // the damage is for the next read
      return status;
    }
    if (entries.size() == before && first < segment.end_offset() && first < limit) {
      if (before > 0) return entries;
      const Damage missing{segment.path(), segment.size_bytes(), segment.size_bytes(),
                           first,          segment.end_offset(), "the records are missing"};
      NoteDamage(segment, missing);
      return DamageError(missing);
    }
    for (size_t i = before; i < entries.size(); ++i) taken += entries[i].size_bytes();
    // More only if this segment was read to its end.
    if (!entries.empty() && entries.back().header.end_offset() < segment.end_offset()) break;
  }
  return entries;
}

std::optional<std::vector<Entry>> Log::ReadCachedByIndex(Index from, Index limit,
                                                         size_t max_bytes) const {
  std::vector<Entry> entries;
  if (options_.tail_cache == nullptr ||
      !options_.tail_cache->ReadIndexes(cache_id_, from, limit, max_bytes, entries)) {
    return std::nullopt;
  }
  return entries;
}

absl::StatusOr<std::vector<Entry>> Log::ReadByIndex(Index from, Index limit,
                                                    size_t max_bytes) const {
  if (from < first_index()) return BeforeStart("index", from.value(), first_index().value());
  if (from >= limit) return std::vector<Entry>();
  if (auto cached = ReadCachedByIndex(from, limit, max_bytes)) return *std::move(cached);
  std::vector<Entry> entries;
  const Segments list = segments();
  const int at = FindIndex(list, from);
  const Segment& segment = *list[static_cast<size_t>(std::max(at, 0))];
  Segment::ReadOptions options;
  options.from_index = from;
  options.limit_offset = Offset(UINT64_MAX);
  options.max_bytes = max_bytes;
  Damage damage;
  const absl::Status status = segment.Read(options, entries, &damage);
  if (absl::IsDataLoss(status)) NoteDamage(segment, damage);
  if (!status.ok()) return status;
  while (!entries.empty() && entries.back().header.index >= limit) entries.pop_back();
  if (entries.empty() && from < end_index()) {
    return absl::DataLossError(base::StrCat(segment.path(), " does not hold index ", from.value()));
  }
  return entries;
}

absl::StatusOr<Offset> Log::OffsetForTimestamp(int64_t timestamp_ms, Offset limit) const {
  CAIRN_ASSIGN_OR_RETURN(const Offset found, FirstReadableAt(timestamp_ms, limit));
  // The record sought may be among lost ones right before: what was lost is not known to be
  // earlier.
  if (found > start_offset()) {
    for (const Damage& damage : damages()) {
      if (damage.first_offset < found && found <= damage.end_offset) return DamageError(damage);
    }
  }
  return found;
}

absl::StatusOr<Offset> Log::FirstReadableAt(int64_t timestamp_ms, Offset limit) const {
  // The first segment whose largest timestamp is late enough holds the record, if it is below the
  // limit.
  const Segments list = segments();
  Offset from = limit;
  for (const auto& segment : list) {
    if (segment->max_timestamp_ms() < timestamp_ms) continue;
    const auto floor = segment->index().FloorTimestamp(timestamp_ms);
    from = floor ? floor->offset : segment->base_offset();
    break;
  }
  from = std::max(from, start_offset());
  constexpr size_t kStepBytes = 256 << 10;
  while (from < limit) {
    CAIRN_ASSIGN_OR_RETURN(const auto entries, Read(from, limit, kStepBytes));
    if (entries.empty()) break;
    for (const Entry& entry : entries) {
      from = entry.header.end_offset();
      if (entry.header.max_timestamp_ms < timestamp_ms) continue;
      std::string scratch;
      CAIRN_ASSIGN_OR_RETURN(const std::string_view records, UncompressedRecords(entry, scratch));
      RecordsReader reader(records, entry.header.base_timestamp_ms);
      std::optional<std::string_view> key;
      std::optional<std::string_view> value;
      int64_t timestamp = 0;
      for (Offset offset = entry.header.base_offset;; ++offset) {
        CAIRN_ASSIGN_OR_RETURN(const bool more, reader.NextValue(key, value, timestamp));
        if (!more) break;
        if (timestamp >= timestamp_ms && offset >= start_offset()) return offset;
      }
    }
  }
  return limit;
}

absl::StatusOr<Term> Log::TermAt(Index index) const {
  if (index < first_index() || index >= end_index()) {
    return absl::OutOfRangeError(
        base::StrCat("index ", index.value(), " is not in the log, which holds [",
                     first_index().value(), ", ", end_index().value(), ")"));
  }
  CAIRN_ASSIGN_OR_RETURN(const TermStart entry, TermStartAt(index));
  return entry.term;
}

// Terms never go back: between two entries of the same term there is no other. The index is not
// asked, because it may be incomplete or wrong, and what follows from this decides what a replica
// throws away.
absl::StatusOr<std::vector<TermStart>> Log::Terms() const {
  std::vector<TermStart> terms;
  for (const auto& segment : segments()) {
    if (segment->end_index() == segment->base_index()) continue;
    CAIRN_ASSIGN_OR_RETURN(const TermStart first, TermStartAt(segment->base_index()));
    CAIRN_ASSIGN_OR_RETURN(const TermStart last, TermStartAt(segment->end_index() - 1));
    if (terms.empty() || terms.back().term != first.term) terms.push_back(first);
    CAIRN_RETURN_IF_ERROR(AddTermsBetween(first, last, terms));
  }
  return terms;
}

absl::StatusOr<TermStart> Log::TermStartAt(Index index) const {
  CAIRN_ASSIGN_OR_RETURN(const auto entries, ReadByIndex(index, index + 1, 1));
  const EntryHeader& header = entries.front().header;
  return TermStart{header.term, header.index, header.base_offset};
}

// Adds the terms that begin in (low, high].
absl::Status Log::AddTermsBetween(const TermStart& low, const TermStart& high,
                                  std::vector<TermStart>& terms) const {
  if (low.term == high.term) return absl::OkStatus();
  if (low.first_index + 1 == high.first_index) {
    terms.push_back(high);
    return absl::OkStatus();
  }
  const uint64_t distance = high.first_index - low.first_index;
  const Index half = low.first_index + distance / 2;
  auto middle = TermStartAt(half);
  // Any other between the two does as well, the nearest first. When all of them are lost, so is
  // where the term changed.
  for (uint64_t away = 1; absl::IsDataLoss(middle.status()) && away < distance; ++away) {
    if (half - low.first_index > away) middle = TermStartAt(half - away);
    if (absl::IsDataLoss(middle.status()) && high.first_index - half > away) {
      middle = TermStartAt(half + away);
    }
  }
  if (!middle.ok()) return middle.status();
  CAIRN_RETURN_IF_ERROR(AddTermsBetween(low, *middle, terms));
  return AddTermsBetween(*middle, high, terms);
}

}  // namespace cairn::log
