// TailCache: the entries written last, in memory, for the readers at the tail (and a cluster's
// peers).
//
// One cache serves all logs of a node within one budget: what is cached is what was written last,
// whoever wrote it. Thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/mutex.h"
#include "base/types.h"
#include "log/entry.h"

namespace cairn::log {

class TailCache {
 public:
  using LogId = uint64_t;

  explicit TailCache(uint64_t budget_bytes) : budget_bytes_(budget_bytes) {}

  LogId NewLog();
  void RemoveLog(LogId log);

  // Adds entries behind those of the log. Entries that do not follow the last one replace all of
  // the log's.
  void Append(LogId log, std::span<const Entry> entries);
  // Forgets the log's entries with index >= `from`.
  void TruncateSuffix(LogId log, Index from);

  // Appends to `out` batches from the one that holds `from` on, below `limit`, about max_bytes and
  // at least one. False when the first of them is not cached.
  bool ReadOffsets(LogId log, Offset from, Offset limit, size_t max_bytes,
                   std::vector<Entry>& out) const;
  // The same for entries of every kind, with indexes [from, limit).
  bool ReadIndexes(LogId log, Index from, Index limit, size_t max_bytes,
                   std::vector<Entry>& out) const;

  uint64_t used_bytes() const;

 private:
  void EvictLocked() CAIRN_REQUIRES(mutex_);

  const uint64_t budget_bytes_;
  mutable base::Mutex mutex_;
  LogId next_log_ CAIRN_GUARDED_BY(mutex_) = 1;
  uint64_t used_bytes_ CAIRN_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<LogId, std::deque<Entry>> logs_ CAIRN_GUARDED_BY(mutex_);
  // In which order entries were added: the log of each. May name logs that have fewer entries by
  // now.
  std::deque<LogId> order_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn::log
