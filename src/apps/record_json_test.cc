#include "apps/record_json.h"

#include <gtest/gtest.h>

#include <random>

namespace cairn::apps {
namespace {

std::string ToJson(const ConsumedRecord& record) {
  std::string out;
  AppendJson(record, -1, out);
  return out;
}

TEST(RecordJsonTest, EscapesTextAndEncodesOtherBytes) {
  EXPECT_EQ(ToJson({.offset = 3, .timestamp_ms = 5, .value = "a\"\\\n\x01\xc3\xa9"}),
            "{\"offset\":3,\"timestamp_ms\":5,\"value\":\"a\\\"\\\\\\n\\u0001\xc3\xa9\"}\n");
  EXPECT_EQ(ToJson({.value = "\xff"}),
            "{\"offset\":0,\"timestamp_ms\":0,\"value_base64\":\"/w==\"}\n");
  EXPECT_EQ(ToJson({}), "{\"offset\":0,\"timestamp_ms\":0,\"value\":null}\n");
}

TEST(RecordJsonTest, TakesOverlongAndSurrogateSequencesForBytes) {
  for (const char* bytes :
       {"\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc3"}) {
    EXPECT_NE(ToJson({.value = bytes}).find("value_base64"), std::string::npos);
  }
}

TEST(RecordJsonTest, AnyBytesComeBack) {
  std::minstd_rand random(1);
  JsonRecord parsed;
  for (int i = 0; i < 2000; ++i) {
    std::string value(random() % 40, '\0');
    for (char& byte : value) {
      byte = static_cast<char>(random() % (random() % 2 == 0 ? 128 : 256));
    }
    ASSERT_TRUE(parsed.Parse(ToJson({.key = value, .value = value})).ok());
    ASSERT_EQ(parsed.record().value, value);
    ASSERT_EQ(parsed.record().key, value);
  }
}

TEST(RecordJsonTest, SaysWhatIsWrongWithALine) {
  JsonRecord record;
  for (const char* wrong :
       {"", "7", "{", R"({"value":7})", R"({"value_base64":"*"})", R"({"headers":7})",
        R"({"headers":[{"value":"v"}]})", R"({"timestamp_ms":"now"})"}) {
    EXPECT_FALSE(record.Parse(wrong).ok()) << wrong;
  }
}

}  // namespace
}  // namespace cairn::apps
