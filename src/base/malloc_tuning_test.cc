#include "base/malloc_tuning.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace cairn::base {
namespace {

// Sanitizers bring a malloc of their own.
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(MallocTuningTest, LargeBuffersComeFromTheHeapAndStayThere) {
  TuneMalloc();
  const auto mapped = mallinfo2().hblks;
  {
    const std::string large(8 << 20, 'x');
    EXPECT_EQ(mallinfo2().hblks, mapped);
  }
  const auto kept = mallinfo2().arena;
  EXPECT_GE(kept, size_t{8} << 20);
  { const std::string large(8 << 20, 'x'); }
  EXPECT_EQ(mallinfo2().arena, kept);
}
#endif

}  // namespace
}  // namespace cairn::base
