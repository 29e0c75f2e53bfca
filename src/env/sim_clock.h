// Clocks that stand still until somebody moves them.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/check.h"
#include "env/clock.h"

namespace cairn::env {

// Thread-safe. Both clocks move together with Advance; only the wall clock can be set.
class SimClock final : public Clock {
 public:
  // Starts at a moment in 2026 by the wall clock and at 0 by the monotonic one.
  SimClock() = default;

  int64_t WallMs() const override {
    return wall_at_zero_ms_.load(std::memory_order_relaxed) + MonotonicNs() / 1'000'000;
  }
  int64_t MonotonicNs() const override { return now_ns_.load(std::memory_order_relaxed); }

  void Advance(int64_t delta_ns) {
    CAIRN_CHECK(delta_ns >= 0, "the monotonic clock never steps back");
    now_ns_.fetch_add(delta_ns, std::memory_order_relaxed);
  }

  // A step of the wall clock, in either direction, as an operator or NTP makes them.
  void SetWallMs(int64_t wall_ms) {
    wall_at_zero_ms_.store(wall_ms - MonotonicNs() / 1'000'000, std::memory_order_relaxed);
  }

 private:
  std::atomic<int64_t> now_ns_ = 0;
  std::atomic<int64_t> wall_at_zero_ms_ = 1'780'000'000'000;
};

}  // namespace cairn::env
