// Every single flipped bit of a small log: nothing wrong is served, nothing is lost in silence, and
// nothing but the entry that holds the bit is lost at all.
#include <gtest/gtest.h>

#include "base/malloc_tuning.h"
#include "log/log_damage_testing.h"

namespace cairn::log {
namespace {

// Under the sanitizers every bit takes too long; a stride prime to 8 still meets each bit of a
// byte.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kBitStride = 101;
#else
constexpr uint64_t kBitStride = 1;
#endif

class LogBitFlipTest : public ::testing::TestWithParam<LogEnd> {};

TEST_P(LogBitFlipTest, NoFlippedBitGivesAWrongRecordOrASilentLoss) {
  base::TuneMalloc();  // or every copy of a file is mapped and unmapped
  DamageableLog log(GetParam(), 1);
  ASSERT_EQ(log.Judge(*log.Copy()).problem, "");
  uint64_t flips = 0;
  uint64_t losses = 0;
  for (const std::string& path : log.Files()) {
    const uint64_t bits = log.SizeOf(path) * 8;
    for (uint64_t bit = 0; bit < bits; bit += kBitStride) {
      const auto copy = log.Copy();
      ASSERT_TRUE(copy->FlipBit(path, bit).ok());
      const Judgement judgement = log.Judge(*copy);
      const auto where = [&] {
        return path + " bit " + std::to_string(bit % 8) + " of byte " + std::to_string(bit / 8);
      };
      ASSERT_EQ(judgement.problem, "") << where();
      ASSERT_TRUE(judgement.open.ok()) << where() << ": " << judgement.open;
      // Only the entry that holds the bit is unreadable.
      ASSERT_LE(judgement.unreadable_entries, path.ends_with(".store") ? 1u : 0u) << where();
      ++flips;
      losses += judgement.unreadable_entries;
    }
  }
  std::printf("%lu flipped bits, %lu of them cost an entry\n", static_cast<unsigned long>(flips),
              static_cast<unsigned long>(losses));
  EXPECT_GT(losses, 0u);
}

INSTANTIATE_TEST_SUITE_P(AllEnds, LogBitFlipTest,
                         ::testing::Values(LogEnd::kClosed, LogEnd::kKilled, LogEnd::kUnsynced),
                         NameOfEnd);

}  // namespace
}  // namespace cairn::log
