// Logical time (Lamport, CACM 21(7), 1978) and what was seen at which time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "gossip/wire/serf_messages.h"

namespace cairn::gossip {

// Times beyond this come from a forger and would wrap the clocks; honest ones count events.
inline constexpr LamportTime kMaxLamportTime = LamportTime{1} << 62;

// Not thread-safe.
class LamportClock {
 public:
  LamportTime time() const { return time_; }
  LamportTime Increment() { return ++time_; }
  // Something happened at `time` (<= kMaxLamportTime): what comes now is later.
  void Witness(LamportTime time) { time_ = std::max(time_, time + 1); }

 private:
  LamportTime time_ = 1;
};

// What was seen in the last kSlots times, so that nothing counts twice however often it comes.
template <typename Value>
class SeenRing {
 public:
  static constexpr LamportTime kSlots = 512;
  // Of one time; more are taken for seen.
  static constexpr size_t kMaxPerTime = 128;

  struct Slot {
    LamportTime time = 0;
    std::vector<Value> values;
  };

  SeenRing() : slots_(kSlots) {}

  // Whether `value` of `time` is new, by a clock that has witnessed it. Too old is not new.
  bool Add(LamportTime clock, LamportTime time, Value value) {
    if (clock > kSlots && time < clock - kSlots) return false;
    Slot& slot = slots_[time % kSlots];
    if (slot.time > time) return false;
    if (slot.time < time) slot = {time, {}};
    if (slot.values.size() >= kMaxPerTime ||
        std::find(slot.values.begin(), slot.values.end(), value) != slot.values.end()) {
      return false;
    }
    slot.values.push_back(std::move(value));
    return true;
  }

  // Slots without values among them.
  const std::vector<Slot>& slots() const { return slots_; }

 private:
  std::vector<Slot> slots_;
};

}  // namespace cairn::gossip
