#include "apps/start_position.h"

#include <gtest/gtest.h>

namespace cairn::apps {
namespace {

TEST(StartPositionTest, TakesEachForm) {
  EXPECT_EQ(ParseStartAt("earliest")->kind, StartAt::Kind::kEarliest);
  EXPECT_EQ(ParseStartAt("latest")->kind, StartAt::Kind::kLatest);
  EXPECT_EQ(ParseStartAt("42")->kind, StartAt::Kind::kOffset);
  EXPECT_EQ(ParseStartAt("42")->value, 42);
  EXPECT_EQ(ParseStartAt("42ms")->kind, StartAt::Kind::kTimestamp);
  EXPECT_EQ(ParseStartAt("42ms")->value, 42);
  EXPECT_EQ(ParseStartAt("1970-01-01T00:00:01.5Z")->value, 1500);
  EXPECT_EQ(ParseStartAt("1970-01-01T01:00:00+01:00")->value, 0);
}

TEST(StartPositionTest, RefusesTheRest) {
  for (const char* wrong : {"", "-1", "4x", "ms", "yesterday", "99999999999999999999"}) {
    EXPECT_FALSE(ParseStartAt(wrong).ok()) << wrong;
  }
}

}  // namespace
}  // namespace cairn::apps
