// User events: something that everybody is told once.
#include <utility>

#include "base/strings.h"
#include "gossip/serf/serf.h"
#include "gossip/wire/limits.h"
#include "gossip/wire/message_codec.h"

namespace cairn::gossip {

absl::Status Serf::SendEvent(std::string name, std::string payload, bool coalesce) {
  if (name.size() + payload.size() > kMaxUserEventBytes) {
    return absl::InvalidArgumentError(base::StrCat("the event's name and payload have ",
                                                   name.size() + payload.size(),
                                                   " bytes; the limit is ", kMaxUserEventBytes));
  }
  if (HasControlCharacters(name)) {
    return absl::InvalidArgumentError("the event's name has control characters");
  }
  const UserEvent event{event_clock_.time(), std::move(name), std::move(payload), coalesce};
  event_clock_.Increment();
  OnUserEvent(event);
  user_events_.Add("", AsUserMessage(Encode(event)));
  return absl::OkStatus();
}

bool Serf::OnUserEvent(const UserEvent& event) {
  if (event.time > kMaxLamportTime) {
    CountRefused();
    return false;
  }
  event_clock_.Witness(event.time);
  if (event.time < event_min_time_) return false;
  if (!seen_events_.Add(event_clock_.time(), event.time, {event.name, event.payload})) return false;
  ++counters_.events;
  const bool room = coalescer_.names() < kMaxCoalescedNames;
  if (!coalescer_.enabled() || !event.coalesce || !room) {
    events_out_.push_back(event);
    return true;
  }
  const int64_t deadline_ns = coalescer_.Add(event, scheduler_.now_ns());
  scheduler_.Cancel(coalesce_timer_);
  coalesce_timer_ = scheduler_.After(std::max<int64_t>(0, deadline_ns - scheduler_.now_ns()),
                                     [this] { FlushEvents(); });
  return true;
}

void Serf::FlushEvents() {
  coalesce_timer_ = Scheduler::kNone;
  for (UserEvent& event : coalescer_.Flush(scheduler_.now_ns())) {
    events_out_.push_back(std::move(event));
  }
}

}  // namespace cairn::gossip
