#include <gtest/gtest.h>

#include <ctime>
#include <set>

#include "env/posix.h"

namespace cairn::env {
namespace {

TEST(SystemClockTest, WallClockIsTheSystems) {
  const int64_t before_s = std::time(nullptr);
  const int64_t now_ms = SystemClock().WallMs();
  EXPECT_GE(now_ms / 1000, before_s - 1);  // time() may lag behind by one tick
  EXPECT_LE(now_ms / 1000, std::time(nullptr) + 1);
}

TEST(SystemClockTest, MonotonicClockNeverStepsBack) {
  int64_t last = SystemClock().MonotonicNs();
  for (int i = 0; i < 10'000; ++i) {
    const int64_t now = SystemClock().MonotonicNs();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(SystemRandomTest, DoesNotRepeatItself) {
  std::set<uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(SystemRandom().Next());
  EXPECT_EQ(seen.size(), 1000u);  // a collision has a chance of 3e-14
}

}  // namespace
}  // namespace cairn::env
