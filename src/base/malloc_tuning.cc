#include "base/malloc_tuning.h"

#include <cstdlib>  // any header of the C library: they define __GLIBC__

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace cairn::base {

void TuneMalloc() {
#if defined(__GLIBC__)
  // Buffers up to this size come from the heap, which keeps up to as much of freed memory at its
  // top.
  constexpr int kKeepBytes = 1 << 30;
  constexpr int kGrowBytes = 1 << 20;
  mallopt(M_MMAP_THRESHOLD, kKeepBytes);
  mallopt(M_TRIM_THRESHOLD, kKeepBytes);
  mallopt(M_TOP_PAD, kGrowBytes);
#endif
}

}  // namespace cairn::base
