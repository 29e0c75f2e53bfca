#include "telemetry/metric_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

namespace cairn::telemetry {
namespace {

using testing::MatchesRegex;

TEST(MetricTableTest, NamesFollowTheConventionsOfPrometheus) {
  std::set<std::string_view> names;
  for (const MetricSpec& spec : MetricTable()) {
    const std::string name(spec.name);
    EXPECT_THAT(name, MatchesRegex("cairn_[a-z_]+"));
    EXPECT_EQ(name.ends_with("_total"), spec.kind == MetricKind::kCounter) << name;
    EXPECT_FALSE(spec.help.empty() || spec.help.ends_with('.')) << name;
    EXPECT_TRUE(names.insert(spec.name).second) << name << " is there twice";
    for (const std::string_view label : spec.labels) {
      EXPECT_THAT(std::string(label), MatchesRegex("[a-z_]+"));
    }
  }
}

TEST(MetricTableTest, BucketsAscend) {
  for (const MetricSpec& spec : MetricTable()) {
    EXPECT_TRUE(std::ranges::is_sorted(spec.buckets, std::ranges::less_equal())) << spec.name;
  }
}

TEST(MetricTableTest, ThePageIsTheTable) {
  std::ifstream file(METRICS_PAGE);
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(page, MetricsPage()) << "run: cairn docs metrics > docs/ops/metrics.md";
}

}  // namespace
}  // namespace cairn::telemetry
