// The two clocks of a machine. Everything from log to cluster takes time from here only.
#pragma once

#include <cstdint>

namespace cairn::env {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  // Milliseconds since the Unix epoch. May step in either direction: never measure a duration with
  // it.
  virtual int64_t WallMs() const = 0;

  // Nanoseconds since an arbitrary point; never steps backwards within a process.
  virtual int64_t MonotonicNs() const = 0;
};

}  // namespace cairn::env
