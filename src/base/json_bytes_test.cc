#include "base/json_bytes.h"

#include <gtest/gtest.h>

#include <string>

namespace cairn::base {
namespace {

std::string Field(std::optional<std::string_view> bytes) {
  std::string out;
  AppendJsonBytes("v", bytes, out);
  return out;
}

TEST(JsonBytesTest, WritesTextAsTextAndTheRestAsBase64) {
  EXPECT_EQ(Field(std::nullopt), R"("v":null)");
  EXPECT_EQ(Field(""), R"("v":"")");
  EXPECT_EQ(Field("a\"\\\n\x01\xc3\xbc"), "\"v\":\"a\\\"\\\\\\n\\u0001\xc3\xbc\"");
  EXPECT_EQ(Field("\xff"), R"("v_base64":"/w==")");
  EXPECT_EQ(Field("\xed\xa0\x80"), R"("v_base64":"7aCA")") << "half of a UTF-16 pair";
}

TEST(JsonBytesTest, CutsBetweenCharacters) {
  EXPECT_EQ(CutText("abc", 3), "abc");
  EXPECT_EQ(CutText("abcd", 3), "abc");
  EXPECT_EQ(CutText("ab\xc3\xbc", 3), "ab");
  EXPECT_EQ(CutText("\xf0\x9f\x98\x80x", 4), "\xf0\x9f\x98\x80");
  EXPECT_EQ(CutText("a\xf0\x9f\x98\x80", 4), "a");
  const std::string no_text(10, '\x80');
  EXPECT_EQ(CutText(no_text, 5), no_text.substr(0, 5));
  EXPECT_EQ(CutText("abc", 0), "");
}

}  // namespace
}  // namespace cairn::base
