// Random numbers that a seed determines.
#pragma once

#include <atomic>
#include <cstdint>

#include "env/random.h"

namespace cairn::env {

// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014): a
// counter and a mixing function, so that two threads can draw without a lock. Thread-safe; the
// order in which threads get their numbers is theirs to determine.
class SimRandom final : public Random {
 public:
  explicit SimRandom(uint64_t seed) : state_(seed) {}

  uint64_t Next() override {
    uint64_t z = state_.fetch_add(kGamma, std::memory_order_relaxed) + kGamma;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  // Uniform in [0, bound), but for a bias below bound / 2^64. `bound` > 0.
  uint64_t Below(uint64_t bound) { return Next() % bound; }

 private:
  static constexpr uint64_t kGamma = 0x9e3779b97f4a7c15;
  std::atomic<uint64_t> state_;
};

}  // namespace cairn::env
