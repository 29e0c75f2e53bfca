#include "apps/report.h"

#include <gtest/gtest.h>

namespace cairn::apps {
namespace {

TEST(ReportTest, GroupsDigits) {
  EXPECT_EQ(WithCommas(0), "0");
  EXPECT_EQ(WithCommas(999), "999");
  EXPECT_EQ(WithCommas(1000), "1,000");
  EXPECT_EQ(WithCommas(1234567), "1,234,567");
}

TEST(ReportTest, ShortensNumbers) {
  EXPECT_EQ(HumanCount(12), "12");
  EXPECT_EQ(HumanCount(1500), "1.50 k");
  EXPECT_EQ(HumanSeconds(0), "0 us");
  EXPECT_EQ(HumanSeconds(0.00095), "950 us");
  EXPECT_EQ(HumanSeconds(0.0012), "1.20 ms");
  EXPECT_EQ(HumanSeconds(2.5), "2.50 s");
  EXPECT_EQ(HumanBytes(721'000), "721 kB");
  EXPECT_EQ(HumanBytes(1.1e9), "1.10 GB");
}

TEST(ReportTest, WritesTimes) { EXPECT_EQ(Rfc3339(1500), "1970-01-01T00:00:01.500Z"); }

}  // namespace
}  // namespace cairn::apps
