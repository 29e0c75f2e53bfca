#include "telemetry/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace cairn::telemetry {
namespace {

using testing::ElementsAre;

double Only(const Samples& samples, Metric metric) {
  EXPECT_EQ(samples.of(metric).size(), 1u);
  return std::get<double>(samples.of(metric).at(0).value);
}

TEST(RegistryTest, AsksEverySourceAtEachCollect) {
  Registry registry(10);
  uint64_t records = 1;
  registry.AddSource([&](Samples& samples) { samples.Add(Metric::kAppendedRecords, records); });
  registry.AddSource([](Samples& samples) { samples.Add(Metric::kReplicas, 3.0, {"leader"}); });
  EXPECT_EQ(Only(registry.Collect(), Metric::kAppendedRecords), 1);
  records = 7;
  const Samples samples = registry.Collect();
  EXPECT_EQ(Only(samples, Metric::kAppendedRecords), 7);
  EXPECT_EQ(Only(samples, Metric::kReplicas), 3);
  EXPECT_THAT(samples.of(Metric::kReplicas).at(0).labels, ElementsAre("leader"));
}

TEST(RegistryTest, LeavesOutPartitionsBeyondTheLimitAndCountsThem) {
  Registry registry(2);
  registry.AddSource([](Samples& samples) {
    for (int i = 0; i < 5; ++i) {
      if (!samples.AdmitPartition()) continue;
      samples.Add(Metric::kHighWatermark, 1.0, {"orders", std::to_string(i)});
    }
  });
  EXPECT_EQ(Only(registry.Collect(), Metric::kSeriesDropped), 3);
  const Samples second = registry.Collect();
  EXPECT_EQ(Only(second, Metric::kSeriesDropped), 6);
  EXPECT_EQ(second.of(Metric::kHighWatermark).size(), 2u);
}

TEST(RegistryTest, ALimitOfZeroShowsNoPartition) {
  Registry registry(0);
  registry.AddSource([](Samples& samples) { EXPECT_FALSE(samples.AdmitPartition()); });
  EXPECT_EQ(Only(registry.Collect(), Metric::kSeriesDropped), 1);
}

TEST(SamplesDeathTest, TakesAsManyLabelsAsTheTableHas) {
  Samples samples(1);
  EXPECT_DEATH(samples.Add(Metric::kReplicas, 1.0), "a value for each label");
  EXPECT_DEATH(samples.Add(Metric::kFsyncDuration, 1.0), "a histogram is no number");
}

}  // namespace
}  // namespace cairn::telemetry
