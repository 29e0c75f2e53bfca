#include "http/query.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>

namespace cairn::http {
namespace {

using testing::HasSubstr;

constexpr std::array<std::string_view, 2> kKnown = {"topic", "offset"};

std::string ErrorOf(std::string_view query) {
  const auto parsed = Query::Parse(query, kKnown);
  return parsed.ok() ? "" : std::string(parsed.status().message());
}

TEST(QueryTest, DecodesNamesAndValues) {
  const auto query = Query::Parse("t%6Fpic=a%2fb+c%26%3d%C3%bc&&offset=", kKnown);
  ASSERT_TRUE(query.ok()) << query.status();
  ASSERT_NE(query->Find("topic"), nullptr);
  EXPECT_EQ(*query->Find("topic"), "a/b c&=\xc3\xbc");
  EXPECT_EQ(*query->Find("offset"), "");
  EXPECT_EQ(Query::Parse("", kKnown)->Find("topic"), nullptr);
}

TEST(QueryTest, RefusesWhatIsMalformedUnknownOrThereTwice) {
  EXPECT_THAT(ErrorOf("topic=%4"), HasSubstr("\"%4\" is no byte"));
  EXPECT_THAT(ErrorOf("topic=%"), HasSubstr("two hexadecimal digits"));
  EXPECT_THAT(ErrorOf("topic=%zz&offset=1"), HasSubstr("\"%zz\""));
  EXPECT_EQ(ErrorOf("offset=1&offset=2"), "the query has \"offset\" twice");
  EXPECT_EQ(ErrorOf("off%00set=1"), "the query has \"off\\x00set\"; there is topic, offset");
  EXPECT_EQ(ErrorOf("=1"), "the query has \"\"; there is topic, offset");
  EXPECT_LT(ErrorOf(std::string(10'000, 'x')).size(), 200u);
}

TEST(QueryTest, ReadsNumbersInTheirRange) {
  const auto number = [](std::string_view query) {
    return Query::Parse(query, kKnown)->Number("offset", 7, 0, 500);
  };
  EXPECT_EQ(number("").value(), 7);
  EXPECT_EQ(number("offset=500").value(), 500);
  for (const char* bad : {"offset=501", "offset=-1", "offset=", "offset=1x", "offset=%2b1",
                          "offset=99999999999999999999", "offset=0x1"}) {
    EXPECT_THAT(number(bad).status().message(), HasSubstr("a number from 0 to 500")) << bad;
  }
}

}  // namespace
}  // namespace cairn::http
