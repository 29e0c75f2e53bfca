// Holds user events back while more of their name come, and lets the last one through: an event
// "deploy" that ten nodes send at once is worth one deployment. Serf's agent does the same.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "gossip/wire/serf_messages.h"

namespace cairn::gossip {

// Not thread-safe. Its owner calls Flush at the deadline that Add returns.
class EventCoalescer {
 public:
  EventCoalescer(int64_t period_ns, int64_t quiescent_ns)
      : period_ns_(period_ns), quiescent_ns_(quiescent_ns) {}

  // Whether events are held back at all.
  bool enabled() const { return period_ns_ > 0 && quiescent_ns_ > 0; }

  // Keeps `event` instead of an older one of its name (of one time, both stay). Returns when to
  // call Flush.
  int64_t Add(UserEvent event, int64_t now_ns);

  // Everything that is held back, when `now_ns` is at the deadline; nothing before.
  std::vector<UserEvent> Flush(int64_t now_ns);

  size_t names() const { return held_.size(); }

 private:
  const int64_t period_ns_;
  const int64_t quiescent_ns_;
  int64_t first_ns_ = 0;
  int64_t deadline_ns_ = 0;
  std::map<std::string, std::vector<UserEvent>> held_;  // by name; all of the latest time
};

}  // namespace cairn::gossip
