#include "cluster/join_schedule.h"

#include <algorithm>

namespace cairn::cluster {

std::vector<std::string> JoinSchedule::TakeDue(const std::set<std::string>& wanted,
                                               int64_t now_ns) {
  std::erase_if(attempts_, [&](const auto& entry) {
    return !entry.second.under_way && !wanted.contains(entry.first);
  });
  size_t under_way =
      static_cast<size_t>(std::count_if(attempts_.begin(), attempts_.end(),
                                        [](const auto& entry) { return entry.second.under_way; }));
  std::vector<std::string> due;
  for (const std::string& address : wanted) {
    if (under_way == kMaxAtOnce) break;
    Attempt& attempt = attempts_[address];
    if (attempt.under_way || attempt.next_ns > now_ns) continue;
    attempt.under_way = true;
    ++under_way;
    due.push_back(address);
  }
  return due;
}

void JoinSchedule::Answered(const std::string& address, const std::string& error, int64_t now_ns) {
  Attempt& attempt = attempts_[address];
  attempt.under_way = false;
  attempt.error = error;
  // A join that succeeded brings the member in a moment; when it does not, it is no hurry.
  attempt.failures = error.empty() ? 0 : std::min(attempt.failures + 1, 30);
  const int64_t pause_ns =
      error.empty() ? kLongestPauseNs
                    : std::min(kLongestPauseNs, kFirstPauseNs << std::min(attempt.failures, 10));
  // Half to all of it, so that nodes that start together do not try together.
  attempt.next_ns = now_ns + pause_ns / 2 +
                    static_cast<int64_t>(random_.Next() % static_cast<uint64_t>(pause_ns / 2));
}

std::string JoinSchedule::ErrorOf(const std::string& address) const {
  const auto it = attempts_.find(address);
  return it == attempts_.end() ? "" : it->second.error;
}

}  // namespace cairn::cluster
