#include "telemetry/instruments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace cairn::telemetry {
namespace {

using testing::Each;

TEST(CounterTest, LosesNothingBetweenThreads) {
  Counter counter;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 10'000; ++j) counter.Add();
      counter.Add(5);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), 40'020u);
}

TEST(HistogramTest, CountsAValueUnderTheBoundThatIsNotBelowIt) {
  Histogram histogram(Metric::kCommitGroup);
  const auto bounds = SpecOf(Metric::kCommitGroup).buckets;
  for (const int64_t bound : bounds) histogram.Observe(bound);
  histogram.Observe(bounds.back() + 1);
  const HistogramValue value = histogram.Read();
  EXPECT_EQ(value.counts.size(), bounds.size() + 1);
  EXPECT_THAT(value.counts, Each(1u));
  EXPECT_EQ(value.sum, 8191 + 4097);
}

TEST(HistogramTest, SumsInTheUnitThatIsShown) {
  Histogram histogram(Metric::kFsyncDuration);
  histogram.Observe(1'500'000'000);
  EXPECT_DOUBLE_EQ(histogram.Read().sum, 1.5);
}

TEST(HistogramTest, LosesNothingBetweenThreads) {
  Histogram histogram(Metric::kCommitGroup);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 10'000; ++j) histogram.Observe(1);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(histogram.Read().counts.front(), 40'000u);
  EXPECT_EQ(histogram.Read().sum, 40'000);
}

}  // namespace
}  // namespace cairn::telemetry
