// Files of a log that are cut, missing, or hold each other's blocks: each record is served as it
// was written or reported lost, and the log is never taken for a shorter one.
#include <gtest/gtest.h>

#include "base/malloc_tuning.h"
#include "env/sim_testing.h"
#include "log/log_damage_testing.h"

namespace cairn::log {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kLengthStride = 61;
constexpr size_t kPairStride = 11;
#else
constexpr uint64_t kLengthStride = 1;
constexpr size_t kPairStride = 1;
#endif

constexpr uint64_t kBlock = 4096;

class LogDamageTest : public ::testing::TestWithParam<LogEnd> {};

TEST_P(LogDamageTest, NoShorterFileShortensTheLog) {
  base::TuneMalloc();  // or every copy of a file is mapped and unmapped
  DamageableLog log(GetParam(), 1);
  for (const std::string& path : log.Files()) {
    const uint64_t size = log.SizeOf(path);
    for (uint64_t length = 0; length < size; length += kLengthStride) {
      const auto copy = log.Copy();
      ASSERT_TRUE(copy->Open(path, env::OpenMode::kReadWrite).value()->Truncate(length).ok());
      const Judgement judgement = log.Judge(*copy);
      ASSERT_EQ(judgement.problem, "") << path << " cut from " << size << " to " << length;
      if (path.ends_with(".index")) {
        ASSERT_TRUE(judgement.open.ok()) << path << " cut to " << length << ": " << judgement.open;
        ASSERT_EQ(judgement.unreadable_entries, 0u) << path << " cut to " << length;
      }
    }
  }
}

TEST_P(LogDamageTest, NoLongerFileLengthensTheLog) {
  base::TuneMalloc();  // or every copy of a file is mapped and unmapped
  DamageableLog log(GetParam(), 1);
  for (const std::string& path : log.Files()) {
    for (const std::string& more : {std::string(1, '\0'), std::string(100, '\0'),
                                    std::string(5000, '\0'), std::string(5000, 'x')}) {
      const auto copy = log.Copy();
      ASSERT_TRUE(
          env::Write(*copy->Open(path, env::OpenMode::kReadWrite).value(), log.SizeOf(path), more)
              .ok());
      const Judgement judgement = log.Judge(*copy);
      ASSERT_EQ(judgement.problem, "") << path << " with " << more.size() << " more bytes";
      if (path.ends_with("log-start")) continue;  // not read beyond its limit
      ASSERT_TRUE(judgement.open.ok()) << path << ": " << judgement.open;
      ASSERT_EQ(judgement.unreadable_entries, 0u)
          << path << " with " << more.size() << " more bytes";
    }
  }
}

TEST_P(LogDamageTest, AMissingFileIsReportedOrRebuilt) {
  base::TuneMalloc();  // or every copy of a file is mapped and unmapped
  DamageableLog log(GetParam(), 1);
  for (const std::string& path : log.Files()) {
    const auto copy = log.Copy();
    ASSERT_TRUE(copy->RemoveFile(path).ok());
    const Judgement judgement = log.Judge(*copy);
    EXPECT_EQ(judgement.problem, "") << path;
    if (path.ends_with(".index")) {
      EXPECT_TRUE(judgement.open.ok()) << path << ": " << judgement.open;
      EXPECT_EQ(judgement.unreadable_entries, 0u) << path;
    } else {
      EXPECT_TRUE(!judgement.open.ok() || judgement.unreadable > 0) << path;
    }
  }
}

struct Block {
  std::string path;
  uint64_t position;
  std::string bytes;
};

std::vector<Block> BlocksOf(DamageableLog& log) {
  std::vector<Block> blocks;
  const auto copy = log.Copy();
  for (const std::string& path : log.Files()) {
    const std::string content = *env::Content(*copy, path);
    for (uint64_t at = 0; at < content.size(); at += kBlock) {
      blocks.push_back({path, at, content.substr(at, kBlock)});
    }
  }
  return blocks;
}

void Put(env::SimFileSystem& fs, const Block& place, const Block& source) {
  const std::string_view bytes = std::string_view(source.bytes).substr(0, place.bytes.size());
  ASSERT_TRUE(
      env::Write(*fs.Open(place.path, env::OpenMode::kReadWrite).value(), place.position, bytes)
          .ok());
}

// The one thing that cannot be told apart (docs/formats/recovery.md): rot in the last group of
// writes that also took the index page with the durable mark.
bool TakesMarkAndTail(DamageableLog& log, const Block& a, const Block& b) {
  const auto is_mark = [&](const Block& block) {
    return block.path == log.last_index() && block.position == 0;
  };
  const auto is_tail = [&](const Block& block) { return block.path == log.last_store(); };
  return (is_mark(a) && is_tail(b)) || (is_mark(b) && is_tail(a));
}

TEST_P(LogDamageTest, BlocksThatWereWrittenToEachOthersPlacesAreNoticed) {
  base::TuneMalloc();  // or every copy of a file is mapped and unmapped
  DamageableLog log(GetParam(), 12);
  const std::vector<Block> blocks = BlocksOf(log);
  ASSERT_GE(blocks.size(), 12u);
  for (size_t i = 0; i < blocks.size(); ++i) {
    for (size_t j = 0; j < blocks.size(); ++j) {
      if (i == j || blocks[i].bytes == blocks[j].bytes) continue;
      if ((i * blocks.size() + j) % kPairStride != 0) continue;
      // Once the write went astray: one block is overwritten, the other is as it was. Once both are
      // swapped.
      for (const bool swap : {false, true}) {
        if (swap && (j < i || TakesMarkAndTail(log, blocks[i], blocks[j]))) continue;
        const auto copy = log.Copy();
        Put(*copy, blocks[i], blocks[j]);
        if (swap) Put(*copy, blocks[j], blocks[i]);
        const Judgement judgement = log.Judge(*copy);
        ASSERT_EQ(judgement.problem, "")
            << (swap ? "swap of " : "overwrite of ") << blocks[i].path << " at "
            << blocks[i].position << " with " << blocks[j].path << " at " << blocks[j].position;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllEnds, LogDamageTest,
                         ::testing::Values(LogEnd::kClosed, LogEnd::kKilled, LogEnd::kUnsynced),
                         NameOfEnd);

}  // namespace
}  // namespace cairn::log
