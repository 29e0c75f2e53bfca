#include "log/tail_cache.h"

#include <algorithm>

namespace cairn::log {
namespace {

// What an entry costs beside its body: the Entry, its string and control block, its place in the
// order.
constexpr uint64_t kOverheadBytes = 256;

uint64_t CostOf(const Entry& entry) { return entry.header.body_bytes + kOverheadBytes; }

}  // namespace

TailCache::LogId TailCache::NewLog() {
  base::MutexLock lock(mutex_);
  const LogId log = next_log_++;
  logs_[log];
  return log;
}

void TailCache::RemoveLog(LogId log) {
  base::MutexLock lock(mutex_);
  const auto it = logs_.find(log);
  if (it == logs_.end()) return;
  for (const Entry& entry : it->second) used_bytes_ -= CostOf(entry);
  logs_.erase(it);
}

void TailCache::Append(LogId log, std::span<const Entry> entries) {
  if (budget_bytes_ == 0) return;
  base::MutexLock lock(mutex_);
  std::deque<Entry>& cached = logs_[log];
  for (const Entry& entry : entries) {
    if (!cached.empty() && cached.back().header.index + 1 != entry.header.index) {
      for (const Entry& old : cached) used_bytes_ -= CostOf(old);
      cached.clear();
    }
    cached.push_back(entry);
    order_.push_back(log);
    used_bytes_ += CostOf(entry);
  }
  EvictLocked();
}

void TailCache::EvictLocked() {
  while (used_bytes_ > budget_bytes_ && !order_.empty()) {
    const auto it = logs_.find(order_.front());
    order_.pop_front();
    if (it == logs_.end() || it->second.empty()) continue;
    used_bytes_ -= CostOf(it->second.front());
    it->second.pop_front();
  }
  if (used_bytes_ == 0) order_.clear();
}

void TailCache::TruncateSuffix(LogId log, Index from) {
  base::MutexLock lock(mutex_);
  const auto it = logs_.find(log);
  if (it == logs_.end()) return;
  while (!it->second.empty() && it->second.back().header.index >= from) {
    used_bytes_ -= CostOf(it->second.back());
    it->second.pop_back();
  }
}

bool TailCache::ReadOffsets(LogId log, Offset from, Offset limit, size_t max_bytes,
                            std::vector<Entry>& out) const {
  base::MutexLock lock(mutex_);
  const auto it = logs_.find(log);
  if (it == logs_.end() || it->second.empty()) return false;
  const std::deque<Entry>& cached = it->second;
  if (from < cached.front().header.base_offset) return false;
  auto at = std::partition_point(cached.begin(), cached.end(), [from](const Entry& entry) {
    return entry.header.end_offset() <= from;
  });
  size_t taken = 0;
  bool found = false;
  for (; at != cached.end() && at->header.end_offset() <= limit; ++at) {
    if (at->header.kind != EntryKind::kBatch) continue;
    if (found && taken + at->size_bytes() > max_bytes) break;
    out.push_back(*at);
    taken += at->size_bytes();
    found = true;
    if (taken >= max_bytes) break;
  }
  return found;
}

bool TailCache::ReadIndexes(LogId log, Index from, Index limit, size_t max_bytes,
                            std::vector<Entry>& out) const {
  base::MutexLock lock(mutex_);
  const auto it = logs_.find(log);
  if (it == logs_.end() || it->second.empty()) return false;
  const std::deque<Entry>& cached = it->second;
  const Index first = cached.front().header.index;
  if (from < first || from > cached.back().header.index) return false;
  size_t taken = 0;
  for (size_t at = from - first; at < cached.size() && cached[at].header.index < limit; ++at) {
    if (taken > 0 && taken + cached[at].size_bytes() > max_bytes) break;
    out.push_back(cached[at]);
    taken += cached[at].size_bytes();
  }
  return taken > 0;
}

uint64_t TailCache::used_bytes() const {
  base::MutexLock lock(mutex_);
  return used_bytes_;
}

}  // namespace cairn::log
