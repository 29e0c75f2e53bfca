// The half of Log that damage is noted in, and repaired through.
#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "env/files.h"
#include "log/log.h"

namespace cairn::log {

void Log::NoteDamage(const Segment& segment, const Damage& damage) const {
  const Segments list = segments();
  base::MutexLock lock(mutex_);
  // A reader may have kept what was deleted or repaired since.
  const bool is_part =
      std::any_of(list.begin(), list.end(), [&](const auto& one) { return one.get() == &segment; });
  // One of each file is enough: all of it is read when it is repaired.
  const bool known = std::any_of(damages_.begin(), damages_.end(),
                                 [&](const Damage& one) { return one.file == segment.path(); });
  if (!is_part || known) return;
  segment.NoteDamaged();
  const auto behind = std::find_if(damages_.begin(), damages_.end(), [&](const Damage& one) {
    return one.first_offset > damage.first_offset;
  });
  damages_.insert(behind, damage);
  damaged_.store(true, std::memory_order_release);
}

void Log::ForgetOldDamages() {
  const Segments list = segments();
  base::MutexLock lock(mutex_);
  std::erase_if(damages_, [&](const Damage& damage) {
    if (damage.file == options_.directory) return damage.end_offset <= start_.offset;
    if (damage.first_index.value() > 0 && damage.first_index >= active_->end_index()) return true;
    return std::none_of(list.begin(), list.end(),
                        [&](const auto& segment) { return segment->path() == damage.file; });
  });
  damaged_.store(!damages_.empty(), std::memory_order_release);
}

absl::StatusOr<std::optional<RepairTarget>> Log::PrepareRepair() {
  if (failed_) return absl::FailedPreconditionError("the log failed; open it again");
  const std::vector<Damage> known = damages();
  if (known.empty()) return std::nullopt;
  const auto is_damaged = [&](const std::shared_ptr<Segment>& segment) {
    return std::any_of(known.begin(), known.end(),
                       [&](const Damage& damage) { return damage.file == segment->path(); });
  };
  Segments list = segments();
  const auto found = std::find_if(list.begin(), list.end(), is_damaged);
  if (found == list.end()) {
    return absl::UnimplementedError(
        base::StrCat("no segment can be made in the place of what is lost: ", Describe(known[0])));
  }
  const std::shared_ptr<Segment> segment = *found;
  // The log goes on behind it. Not one without records, whose successor would get its name, nor one
  // whose last entry is lost, and so the term that its successor would begin behind.
  if (segment == active_ && !segment->damaged_tail() &&
      segment->end_offset() > segment->base_offset()) {
    CAIRN_RETURN_IF_ERROR(Roll());
    list = segments();
  }
  RepairTarget target;
  target.directory = options_.directory;
  target.segment = segment;
  target.header = segment->header();
  target.end_index = segment->end_index();
  target.end_offset = segment->end_offset();
  target.segment_bytes = options_.segment_bytes;
  target.is_last = segment == active_;
  const auto at = static_cast<size_t>(std::find(list.begin(), list.end(), segment) - list.begin());
  // A header that was lost does not say: its term is 0, which only the first entry of all follows.
  const StoreHeader& header = segment->header();
  if (header.base_term.value() > 0 || header.base_index == Index(1)) {
    target.term_before = header.base_term;
  } else if (at > 0) {
    target.term_before = list[at - 1]->last_term();
  }
  if (!target.is_last && list[at + 1]->header().base_term.value() > 0) {
    target.last_term = list[at + 1]->header().base_term;
  }
  return target;
}

// Store first: an index that knew of a close would vouch for the damaged store.
absl::Status Log::MoveIn(const std::string& from, const Segment& made) {
  for (const std::string& name :
       {StoreFileName(made.base_offset()), IndexFileName(made.base_offset())}) {
    CAIRN_RETURN_IF_ERROR(
        fs_.Rename(env::JoinPath(from, name), env::JoinPath(options_.directory, name)));
    CAIRN_RETURN_IF_ERROR(fs_.SyncDir(options_.directory));
  }
  return absl::OkStatus();
}

absl::Status Log::AdoptRepair(const SegmentRepair& repair) {
  if (failed_) return absl::FailedPreconditionError("the log failed; open it again");
  const RepairTarget& target = repair.target();
  Segments list = segments();
  const auto found = std::find(list.begin(), list.end(), target.segment);
  if (found == list.end() || target.segment->end_index() != target.end_index ||
      target.segment->end_offset() != target.end_offset ||
      (target.segment == active_) != target.is_last) {
    return absl::AbortedError("the log changed while it was repaired");
  }
  const auto at = static_cast<size_t>(found - list.begin());
  const std::string path = target.segment->path();
  const bool moves = target.header.base_offset != target.segment->base_offset();
  if (moves && (at > 0 || target.header.base_offset > start_.offset)) {
    return absl::AbortedError("the log does not begin where its first segment would");
  }
  Segments fresh;
  if (!repair.intact()) {
    // From the last to the first: until the first one is there, the damaged one stands for all, and
    // those behind it begin where its own entries end.
    std::optional<Segment::OpenOptions::End> next;
    if (!target.is_last) next = {target.end_offset, target.end_index};
    for (size_t i = repair.made().size(); i-- > 0;) {
      const Segment& made = *repair.made()[i];
      CAIRN_RETURN_IF_ERROR(MoveIn(repair.made_directory(), made));
      RecoveryReport report;
      CAIRN_ASSIGN_OR_RETURN(auto segment,
                             Segment::Open(fs_, {options_.directory, made.header(), next}, report));
      if (!report.damages.empty()) return DamageError(report.damages.front());
      next = {segment->base_offset(), segment->base_index()};
      fresh.insert(fresh.begin(), std::move(segment));
    }
  }
  {
    base::MutexLock lock(mutex_);
    if (!fresh.empty()) {
      const auto place = segments_.begin() + static_cast<std::ptrdiff_t>(at);
      segments_.insert(segments_.erase(place), fresh.begin(), fresh.end());
    }
    std::erase_if(damages_, [&](const Damage& damage) { return damage.file == path; });
    damaged_.store(!damages_.empty(), std::memory_order_release);
  }
  if (target.is_last && !fresh.empty()) active_ = fresh.back();
  PublishBounds();
  if (!moves) return absl::OkStatus();
  // Wholly before the start by now: the next opening would remove it, too.
  CAIRN_RETURN_IF_ERROR(RemoveSegmentFiles(target.segment->base_offset()));
  return fs_.SyncDir(options_.directory);
}

}  // namespace cairn::log
