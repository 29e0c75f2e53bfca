// A source of random numbers. Everything from log to cluster draws from here only.
#pragma once

#include <cstdint>

namespace cairn::env {

// Thread-safe.
class Random {
 public:
  virtual ~Random() = default;

  // 64 uniform bits. The POSIX source is the kernel's (getrandom), the simulated one a seeded
  // generator.
  virtual uint64_t Next() = 0;
};

}  // namespace cairn::env
