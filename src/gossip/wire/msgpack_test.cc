#include "gossip/wire/msgpack.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

namespace cairn::gossip {
namespace {

std::string Packed(const nlohmann::json& value) {
  const auto bytes = nlohmann::json::to_msgpack(value);
  return {bytes.begin(), bytes.end()};
}

constexpr int64_t kIntegers[] = {0,
                                 1,
                                 127,
                                 128,
                                 255,
                                 256,
                                 65535,
                                 65536,
                                 4294967295,
                                 4294967296,
                                 std::numeric_limits<int64_t>::max(),
                                 -1,
                                 -32,
                                 -33,
                                 -128,
                                 -129,
                                 -32768,
                                 -32769,
                                 -2147483648LL,
                                 -2147483649LL,
                                 std::numeric_limits<int64_t>::min()};

TEST(MsgpackTest, WritesIntegersAsAnotherLibraryDoes) {
  for (const int64_t value : kIntegers) {
    MsgpackWriter writer;
    writer.Int(value);
    EXPECT_EQ(writer.bytes(), Packed(value)) << value;
  }
}

TEST(MsgpackTest, ReadsWhatAnotherLibraryWrites) {
  for (const int64_t value : kIntegers) {
    const std::string bytes = Packed(value);
    MsgpackReader reader(bytes);
    int64_t found = 0;
    EXPECT_TRUE(reader.Take(found) && found == value) << value;
  }
  for (const size_t size : {0, 1, 31, 32, 255, 256, 65535, 65536}) {  // str 8 among them
    const std::string text(size, 'x');
    const std::string bytes = Packed(text) + Packed(nlohmann::json::binary({1, 2, 3}));
    MsgpackReader reader(bytes);
    std::string found;
    std::string binary;
    EXPECT_TRUE(reader.Take(found) && found == text) << size;
    EXPECT_TRUE(reader.Take(binary) && binary == "\1\2\3");
  }
  const std::string bytes = Packed({true, false, 1.5, 3}) + Packed(nullptr);
  MsgpackReader reader(bytes);
  uint32_t count = 0;
  bool yes = false;
  bool no = true;
  double half = 0;
  double three = 0;
  std::string nothing = "something";
  EXPECT_TRUE(reader.TakeArray(count) && count == 4 && reader.Take(yes) && reader.Take(no));
  EXPECT_TRUE(yes && !no && reader.Take(half) && half == 1.5 && reader.Take(three) && three == 3);
  EXPECT_TRUE(reader.Take(nothing) && nothing.empty());
  EXPECT_EQ(reader.rest(), "");
}

TEST(MsgpackTest, WritesStringsInTheOldForm) {
  // What old readers do not know (str 8, d9) is never written.
  EXPECT_EQ(MsgpackWriter().Raw(std::string(40, 'x')).bytes().substr(0, 3),
            std::string("\xda\x00\x28", 3));
  EXPECT_EQ(MsgpackWriter().Raw(std::string(70'000, 'x')).bytes().substr(0, 5),
            std::string("\xdb\x00\x01\x11\x70", 5));
}

TEST(MsgpackTest, AnIntegerMustFit) {
  for (const auto& [bytes, fits] :
       {std::pair(Packed(255), true), {Packed(256), false}, {Packed(-1), false}}) {
    MsgpackReader reader(bytes);
    uint8_t value = 0;
    EXPECT_EQ(reader.Take(value), fits);
    EXPECT_EQ(absl::IsInvalidArgument(reader.status()), !fits);
  }
}

TEST(MsgpackTest, SkipsAnyValue) {
  const nlohmann::json value = {{"a", {1, -5, 3.25, nullptr, true}},
                                {"b", {{"c", std::string(300, 'y')}}},
                                {"d", nlohmann::json::binary({1, 2, 3}, 7)},
                                {"e", nlohmann::json::binary({1, 2, 3, 4}, 8)}};
  const std::string bytes = Packed(value);
  MsgpackReader reader(bytes);
  EXPECT_TRUE(reader.Skip()) << reader.status();
  EXPECT_EQ(reader.rest(), "");
  for (size_t size = 0; size < bytes.size(); ++size) {
    MsgpackReader cut(std::string_view(bytes).substr(0, size));
    EXPECT_FALSE(cut.Skip());
    EXPECT_TRUE(cut.incomplete()) << size;
  }
}

TEST(MsgpackTest, NestingAndCountsAreBounded) {
  MsgpackReader deep(
      std::string_view("\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91"
                       "\x91\x91\x91\x91\x01"));
  EXPECT_FALSE(deep.Skip());
  EXPECT_TRUE(absl::IsInvalidArgument(deep.status()));
  // An array of 2^32 - 1 values, of which there are none.
  MsgpackReader wide(std::string_view("\xdd\xff\xff\xff\xff"));
  EXPECT_FALSE(wide.Skip());
  EXPECT_TRUE(wide.incomplete());
  MsgpackReader never(std::string_view("\xc1"));
  EXPECT_FALSE(never.Skip());
}

TEST(MsgpackTest, UnknownFieldsAreSkipped) {
  const std::string bytes = Packed({{"New", {1, 2, {{"x", 3}}}}, {"SeqNo", 9}});
  MsgpackReader reader(bytes);
  uint32_t sequence = 0;
  EXPECT_TRUE(reader.TakeStruct([&](std::string_view name) {
    return name == "SeqNo" ? reader.Take(sequence) : reader.Skip();
  }));
  EXPECT_EQ(sequence, 9u);
}

TEST(MsgpackTest, DoublesKeepTheirBits) {
  for (const double value : {0.0, -0.0, 1e-5, 1.5, HUGE_VAL}) {
    const std::string bytes = MsgpackWriter().Double(value).bytes();
    MsgpackReader reader(bytes);
    double found = 1;
    EXPECT_TRUE(reader.Take(found));
    EXPECT_EQ(found, value);
    EXPECT_EQ(std::signbit(found), std::signbit(value));
  }
}

}  // namespace
}  // namespace cairn::gossip
