#include "log/tail_cache.h"

#include <gtest/gtest.h>

#include "log/records.h"

namespace cairn::log {
namespace {

Entry EntryAt(uint64_t index, size_t bytes = 100) {
  BatchBuilder builder;
  builder.Add(std::nullopt, std::string(bytes, 'x'), 1);
  return MakeBatchEntry(builder.Take(), Index(index), Term(1), Offset(index - 1));
}

TEST(TailCacheTest, ServesARunFromTheMiddleUpToTheLimit) {
  TailCache cache(1 << 20);
  const auto log = cache.NewLog();
  std::vector<Entry> entries;
  for (uint64_t i = 1; i <= 10; ++i) entries.push_back(EntryAt(i));
  cache.Append(log, entries);
  std::vector<Entry> out;
  ASSERT_TRUE(cache.ReadOffsets(log, Offset(3), Offset(7), 1 << 20, out));
  ASSERT_EQ(out.size(), 4u);
  EXPECT_EQ(out.front().header.base_offset, Offset(3));
  EXPECT_EQ(out.back().header.base_offset, Offset(6));
  out.clear();
  EXPECT_TRUE(cache.ReadOffsets(log, Offset(3), Offset(7), 1, out));
  EXPECT_EQ(out.size(), 1u);
}

TEST(TailCacheTest, EvictsTheOldestOfAllLogsAndStaysWithinItsBudget) {
  TailCache cache(10'000);
  const auto first = cache.NewLog();
  const auto second = cache.NewLog();
  cache.Append(first, std::vector<Entry>{EntryAt(1)});
  for (uint64_t i = 1; i <= 100; ++i) cache.Append(second, std::vector<Entry>{EntryAt(i)});
  EXPECT_LE(cache.used_bytes(), 10'000u);
  std::vector<Entry> out;
  EXPECT_FALSE(cache.ReadOffsets(first, Offset(0), Offset(1), 100, out));
  EXPECT_FALSE(cache.ReadOffsets(second, Offset(0), Offset(100), 100, out));
  EXPECT_TRUE(cache.ReadOffsets(second, Offset(99), Offset(100), 100, out));
}

TEST(TailCacheTest, ForgetsATruncatedSuffixAndAReplacedRun) {
  TailCache cache(1 << 20);
  const auto log = cache.NewLog();
  cache.Append(log, std::vector<Entry>{EntryAt(1), EntryAt(2), EntryAt(3)});
  cache.TruncateSuffix(log, Index(2));
  std::vector<Entry> out;
  EXPECT_FALSE(cache.ReadOffsets(log, Offset(1), Offset(3), 100, out));
  EXPECT_TRUE(cache.ReadOffsets(log, Offset(0), Offset(3), 100, out));
  cache.Append(log, std::vector<Entry>{EntryAt(10)});
  out.clear();
  EXPECT_FALSE(cache.ReadOffsets(log, Offset(0), Offset(3), 100, out));
  cache.RemoveLog(log);
  EXPECT_EQ(cache.used_bytes(), 0u);
}

}  // namespace
}  // namespace cairn::log
