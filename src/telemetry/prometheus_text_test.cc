#include "telemetry/prometheus_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn::telemetry {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(PrometheusTextTest, ShowsNumbersWithHelpTypeAndLabels) {
  Samples samples(1);
  samples.Add(Metric::kRpcRequests, uint64_t{3}, {"/log.v1.Log/Produce", "OK"});
  samples.Add(Metric::kDiskFull, 0.0);
  const std::string text = ToPrometheusText(samples);
  EXPECT_THAT(text, HasSubstr("# TYPE cairn_rpc_requests_total counter\n"
                              "cairn_rpc_requests_total{method=\"/log.v1.Log/Produce\","
                              "code=\"OK\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("# HELP cairn_disk_full 1 when"));
  EXPECT_THAT(text, HasSubstr("# TYPE cairn_disk_full gauge\ncairn_disk_full 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("cairn_ready")));
}

TEST(PrometheusTextTest, KeepsEveryDigitOfAnOffset) {
  Samples samples(1);
  samples.Add(Metric::kHighWatermark, uint64_t{9'007'199'254'740'991}, {"orders", "0"});
  EXPECT_THAT(ToPrometheusText(samples), HasSubstr("partition=\"0\"} 9007199254740991\n"));
}

TEST(PrometheusTextTest, BucketsOfAHistogramAreCumulative) {
  Histogram histogram(Metric::kFsyncDuration);
  histogram.Observe(40'000);
  histogram.Observe(90'000);
  histogram.Observe(60'000'000'000);
  Samples samples(1);
  samples.Add(Metric::kFsyncDuration, histogram);
  const std::string text = ToPrometheusText(samples);
  EXPECT_THAT(text, HasSubstr("# TYPE cairn_fsync_duration_seconds histogram\n"));
  EXPECT_THAT(text, HasSubstr("cairn_fsync_duration_seconds_count 3\n"));
  EXPECT_THAT(text, HasSubstr("_bucket{le=\"0.0001\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("_bucket{le=\"10\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("_bucket{le=\"+Inf\"} 3\n"));
}

TEST(PrometheusTextTest, EscapesLabels) {
  Samples samples(1);
  samples.Add(Metric::kReplicas, 1.0, {"a\"b\\c\nd"});
  EXPECT_THAT(ToPrometheusText(samples), HasSubstr("{role=\"a\\\"b\\\\c\\nd\"} 1\n"));
}

}  // namespace
}  // namespace cairn::telemetry
