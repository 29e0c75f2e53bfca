#include "gossip/serf/event_coalescer.h"

#include <algorithm>
#include <utility>

namespace cairn::gossip {

int64_t EventCoalescer::Add(UserEvent event, int64_t now_ns) {
  if (held_.empty()) first_ns_ = now_ns;
  deadline_ns_ = std::min(first_ns_ + period_ns_, now_ns + quiescent_ns_);
  std::vector<UserEvent>& same = held_[event.name];
  if (!same.empty() && same.front().time > event.time) return deadline_ns_;
  if (!same.empty() && same.front().time < event.time) same.clear();
  same.push_back(std::move(event));
  return deadline_ns_;
}

std::vector<UserEvent> EventCoalescer::Flush(int64_t now_ns) {
  std::vector<UserEvent> flushed;
  if (held_.empty() || now_ns < deadline_ns_) return flushed;
  for (auto& [name, events] : std::exchange(held_, {})) {
    for (UserEvent& event : events) flushed.push_back(std::move(event));
  }
  return flushed;
}

}  // namespace cairn::gossip
