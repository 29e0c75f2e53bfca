#include "gossip/wire/lzw.h"

#include <gtest/gtest.h>

#include <string>

#include "env/sim_random.h"

namespace cairn::gossip {
namespace {

constexpr size_t kLimit = 64 << 20;

std::string Noise(env::SimRandom& random, size_t size, int alphabet) {
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random.Below(alphabet));
  return bytes;
}

TEST(LzwTest, ReadsWhatOthersHaveWritten) {
  // The usual example, as Go's compress/lzw writes it in LSB order with 8-bit literals.
  const std::string_view written(
      "\x54\x9e\x08\x29\xf2\x44\x8a\x93\x27\x54\x04\x12\x34\xb8\xb0\xe0\xc1\x84\x01\x01", 20);
  EXPECT_EQ(LzwExpand(written, kLimit).value(), "TOBEORNOTTOBEORTOBEORNOT");
}

TEST(LzwTest, WritesAsTheFormatSays) {
  // clear 256, 'A', 258 ("AA", the entry being made), 'A', end 257, in 9 bits each, lowest first:
  // 0x100 | 0x41 << 9 | 0x102 << 18 | 0x41 << 27 | 0x101 << 36.
  EXPECT_EQ(LzwCompress("AAAA"), std::string("\x00\x83\x08\x0c\x12\x10", 6));
}

TEST(LzwTest, WhatIsCompressedExpandsToTheSame) {
  env::SimRandom random(1);
  for (const size_t size :
       {0, 1, 2, 255, 256, 257, 500, 3838, 3839, 3840, 5000, 100'000, 1'000'000}) {
    for (const int alphabet : {1, 2, 17, 256}) {
      const std::string bytes = Noise(random, size, alphabet);
      const std::string compressed = LzwCompress(bytes);
      const auto expanded = LzwExpand(compressed, size);
      ASSERT_TRUE(expanded.ok()) << size << " of " << alphabet << ": " << expanded.status();
      EXPECT_TRUE(*expanded == bytes) << size << " of " << alphabet;
      EXPECT_LE(compressed.size(), size + size / 2 + 8);
    }
  }
}

// A writer that never clears: after 4096 entries the table stays as it is.
TEST(LzwTest, AFullTableFreezesUntilItIsCleared) {
  std::string bytes;
  uint64_t bits = 0;
  int count = 0;
  int width = 9;
  const auto put = [&](uint32_t code) {
    bits |= uint64_t{code} << count;
    for (count += width; count >= 8; count -= 8, bits >>= 8)
      bytes.push_back(static_cast<char>(bits));
  };
  std::string expected;
  uint32_t next = 257;
  for (int i = 0; i < 6000; ++i) {
    const char literal = static_cast<char>(i * 7 % 256);
    put(static_cast<uint8_t>(literal));
    expected.push_back(literal);
    if (next < 4096 && ++next == 1u << width && width < 12) ++width;
  }
  put(4095);  // the last entry that was made: literals 3838 and 3839
  expected += {static_cast<char>(3837 * 7 % 256), static_cast<char>(3838 * 7 % 256)};
  put(256);
  width = 9;
  put('x');
  expected += 'x';
  put(257);
  bytes.push_back(static_cast<char>(bits));
  EXPECT_TRUE(LzwExpand(bytes, kLimit).value() == expected);
}

TEST(LzwTest, StopsAtTheLimit) {
  const std::string bomb = LzwCompress(std::string(10 << 20, 'a'));
  EXPECT_LT(bomb.size(), 16'000u);
  EXPECT_TRUE(absl::IsResourceExhausted(LzwExpand(bomb, 1 << 20).status()));
  EXPECT_TRUE(LzwExpand(bomb, 10 << 20).ok());
}

TEST(LzwTest, RefusesWhatNoTableHolds) {
  // clear, then a code that is not a literal.
  EXPECT_TRUE(absl::IsInvalidArgument(LzwExpand(std::string("\x00\x09\x02", 3), kLimit).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(LzwExpand("", kLimit).status()));
  const std::string whole = LzwCompress("whatever it is that is written here");
  for (size_t size = 0; size + 1 < whole.size(); ++size) {
    EXPECT_FALSE(LzwExpand(whole.substr(0, size), kLimit).ok()) << size;
  }
}

}  // namespace
}  // namespace cairn::gossip
