// Repairs a log from another one, as a replica is from its peers. For tests only.
#pragma once

#include <algorithm>
#include <vector>

#include "absl/status/status.h"
#include "base/status_macros.h"
#include "env/file_system.h"
#include "log/log.h"

namespace cairn::log {

// One segment: prepared, made anew with entries of `healthy`, adopted. OK when nothing is damaged.
inline absl::Status RepairOne(env::FileSystem& fs, Log& log, const Log& healthy,
                              size_t fetch_bytes = 1 << 20) {
  CAIRN_ASSIGN_OR_RETURN(auto target, log.PrepareRepair());
  if (!target) return absl::OkStatus();
  CAIRN_ASSIGN_OR_RETURN(const auto repair, SegmentRepair::Begin(fs, *std::move(target)));
  while (true) {
    CAIRN_ASSIGN_OR_RETURN(const auto progress, repair->Step());
    if (progress == SegmentRepair::Progress::kDone) return log.AdoptRepair(*repair);
    if (progress == SegmentRepair::Progress::kMore) continue;
    const Index from = repair->next_index();
    CAIRN_ASSIGN_OR_RETURN(
        const auto entries,
        healthy.ReadByIndex(from, std::min(repair->wanted_limit(), healthy.end_index()),
                            fetch_bytes));
    Term before = healthy.first().term;
    if (from > healthy.first_index()) {
      CAIRN_ASSIGN_OR_RETURN(before, healthy.TermAt(from - 1));
    }
    CAIRN_RETURN_IF_ERROR(repair->Take(entries, before));
  }
}

inline absl::Status Repair(env::FileSystem& fs, Log& log, const Log& healthy,
                           size_t fetch_bytes = 1 << 20) {
  while (log.damaged()) CAIRN_RETURN_IF_ERROR(RepairOne(fs, log, healthy, fetch_bytes));
  return absl::OkStatus();
}

}  // namespace cairn::log
