#include <ctime>

#include "env/posix.h"

namespace cairn::env {
namespace {

class KernelClock final : public Clock {
 public:
  int64_t WallMs() const override {
    const timespec now = Get(CLOCK_REALTIME);
    return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
  }
  int64_t MonotonicNs() const override {
    const timespec now = Get(CLOCK_MONOTONIC);
    return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
  }

 private:
  static timespec Get(clockid_t clock) {
    timespec now = {};
    ::clock_gettime(clock, &now);  // cannot fail for these two clocks
    return now;
  }
};

}  // namespace

Clock& SystemClock() {
  static KernelClock clock;
  return clock;
}

}  // namespace cairn::env
