#include "apps/record_reader.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "apps/interrupt.h"

namespace cairn::apps {
namespace {

// Reads what `feed` writes into a pipe.
template <typename Next>
std::vector<std::string> ReadAll(const std::string& input, Next next) {
  CatchInterrupts();
  int fds[2];
  EXPECT_EQ(pipe(fds), 0);
  std::thread feeder([&] {
    for (size_t at = 0; at < input.size();) {
      const ssize_t wrote = write(fds[1], input.data() + at, input.size() - at);
      if (wrote <= 0) break;
      at += static_cast<size_t>(wrote);
    }
    close(fds[1]);
  });
  RecordReader reader(fds[0]);
  std::vector<std::string> records;
  std::string_view view;
  while (next(reader, view)) records.emplace_back(view);
  feeder.join();
  close(fds[0]);
  return records;
}

bool NextLine(RecordReader& reader, std::string_view& view) {
  return reader.NextLine(view).value_or(false);
}

TEST(RecordReaderTest, SplitsLines) {
  EXPECT_EQ(ReadAll("a\n\nb\n", NextLine), (std::vector<std::string>{"a", "", "b"}));
  EXPECT_EQ(ReadAll("a\nb", NextLine), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(ReadAll("", NextLine).empty());
}

TEST(RecordReaderTest, TakesLinesLongerThanItsBuffer) {
  const std::string large(3'000'000, 'x');
  EXPECT_EQ(ReadAll("a\n" + large + "\nb\n", NextLine),
            (std::vector<std::string>{"a", large, "b"}));
}

TEST(RecordReaderTest, SplitsBlocks) {
  const auto next = [](RecordReader& reader, std::string_view& view) {
    return reader.NextBlock(3, view).value_or(false);
  };
  EXPECT_EQ(ReadAll("abcdefgh", next), (std::vector<std::string>{"abc", "def", "gh"}));
  EXPECT_TRUE(ReadAll("", next).empty());
}

}  // namespace
}  // namespace cairn::apps
