#include "client/histogram.h"

#include <gtest/gtest.h>

namespace cairn::client {
namespace {

TEST(HistogramTest, QuantilesAreWithinOnePercent) {
  Histogram histogram;
  for (uint64_t i = 1; i <= 100'000; ++i) histogram.Add(i * 1000);
  EXPECT_NEAR(static_cast<double>(histogram.Quantile(0.5)), 50e6, 0.5e6);
  EXPECT_NEAR(static_cast<double>(histogram.Quantile(0.99)), 99e6, 1e6);
  EXPECT_EQ(histogram.max_ns(), 100'000'000u);
  EXPECT_EQ(histogram.Quantile(1), 100'000'000u);
}

TEST(HistogramTest, KeepsSmallValuesExactAndTakesAnyLargeOne) {
  Histogram histogram;
  EXPECT_EQ(histogram.Quantile(0.5), 0u);
  histogram.Add(5);
  EXPECT_EQ(histogram.Quantile(0.5), 5u);
  histogram.Add(UINT64_MAX);
  EXPECT_EQ(histogram.max_ns(), UINT64_MAX);
  EXPECT_GE(histogram.Quantile(0.99), (uint64_t{1} << 39));
}

}  // namespace
}  // namespace cairn::client
