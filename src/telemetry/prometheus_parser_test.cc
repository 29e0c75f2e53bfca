#include "telemetry/prometheus_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "telemetry/prometheus_text.h"

namespace cairn::telemetry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

ParsedMetrics Parse(std::string_view text) {
  auto metrics = ParsedMetrics::Parse(text);
  EXPECT_TRUE(metrics.ok()) << metrics.status();
  return metrics.ok() ? *std::move(metrics) : ParsedMetrics();
}

std::string ErrorOf(std::string_view text) {
  const auto metrics = ParsedMetrics::Parse(text);
  EXPECT_EQ(metrics.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(metrics.status().message());
}

// The example of "Exposition formats", as far as it goes beyond what we write.
TEST(PrometheusParserTest, ReadsWhatTheDocumentationShows) {
  const ParsedMetrics metrics = Parse(
      "# HELP http_requests_total The total number of HTTP requests.\n"
      "# TYPE http_requests_total counter\n"
      "http_requests_total{method=\"post\",code=\"200\"} 1027 1395066363000\n"
      "http_requests_total{method=\"post\",code=\"400\"}    3 1395066363000\n"
      "\n"
      "# Escaping in label values:\n"
      "msdos_file_access_time_seconds{path=\"C:\\\\DIR\\\\FILE.TXT\",error=\"Cannot find "
      "file:\\n\\\"FILE.TXT\\\"\"} 1.458255915e9\n"
      "metric_without_timestamp_and_labels 12.47\n"
      "something_weird{problem=\"division by zero\"} +Inf -3982045\n"
      "spaces { a = \"b\" , } NaN");
  EXPECT_EQ(metrics.size(), 6u);
  EXPECT_EQ(metrics.Value("http_requests_total", "code", "400"), 3);
  EXPECT_EQ(metrics.Value("http_requests_total"), 1027);
  EXPECT_EQ(metrics.Value("metric_without_timestamp_and_labels"), 12.47);
  EXPECT_EQ(metrics.Value("something_weird"), std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(*metrics.Value("spaces", "a", "b")));
  EXPECT_THAT(metrics.of("msdos_file_access_time_seconds").at(0).labels,
              ElementsAre(Pair("path", "C:\\DIR\\FILE.TXT"),
                          Pair("error", "Cannot find file:\n\"FILE.TXT\"")));
  EXPECT_EQ(metrics.Value("absent"), std::nullopt);
  EXPECT_EQ(metrics.Value("http_requests_total", "code", "500"), std::nullopt);
}

TEST(PrometheusParserTest, ReadsWhatWeWrite) {
  Histogram histogram(Metric::kFsyncDuration);
  histogram.Observe(40'000);
  histogram.Observe(60'000'000'000);
  Samples samples(1);
  samples.Add(Metric::kFsyncDuration, histogram);
  samples.Add(Metric::kHighWatermark, uint64_t{9'007'199'254'740'991}, {"a\"b\\c\nd", "0"});
  const ParsedMetrics metrics = Parse(ToPrometheusText(samples));
  EXPECT_EQ(metrics.Value("cairn_partition_high_watermark", "topic", "a\"b\\c\nd"),
            9'007'199'254'740'991);
  const auto read = metrics.Histogram("cairn_fsync_duration_seconds");
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->count(), 2);
  EXPECT_NEAR(read->sum, 60.00004, 1e-9);
  EXPECT_THAT(read->buckets.front(), Pair(0.00005, 1));
  EXPECT_THAT(read->buckets.back(), Pair(std::numeric_limits<double>::infinity(), 2));
}

TEST(PrometheusParserTest, AddsUpTheHistogramsOfAName) {
  const ParsedMetrics metrics = Parse(
      "h_bucket{m=\"a\",le=\"1\"} 1\nh_bucket{m=\"a\",le=\"+Inf\"} 2\n"
      "h_bucket{m=\"b\",le=\"1\"} 3\nh_bucket{m=\"b\",le=\"+Inf\"} 3\nh_sum{m=\"a\"} 5\n");
  EXPECT_THAT(metrics.Histogram("h")->buckets,
              ElementsAre(Pair(1, 4), Pair(std::numeric_limits<double>::infinity(), 5)));
  EXPECT_EQ(Parse("h_bucket{le=\"1\"} 3\nh_bucket{le=\"+Inf\"} 2\n").Histogram("h"), std::nullopt);
  EXPECT_EQ(Parse("h_bucket{le=\"1\"} 3\n").Histogram("h"), std::nullopt);
  EXPECT_EQ(Parse("h_bucket{le=\"x\"} 3\n").Histogram("h"), std::nullopt);
  EXPECT_EQ(Parse("").Histogram("h"), std::nullopt);
}

TEST(PrometheusParserTest, SaysWhereTheTextIsWrong) {
  EXPECT_EQ(ErrorOf("a 1\n{} 1\n"), "line 2 of the metrics: expected the name of a metric");
  EXPECT_THAT(ErrorOf("a{b=\"c} 1"), HasSubstr("line 1 of the metrics: expected a quote"));
  EXPECT_THAT(ErrorOf("a{b=\"\\"), HasSubstr("a quote at the end"));
  EXPECT_THAT(ErrorOf("a{b=\"\\t\"} 1"), HasSubstr("behind a backslash"));
  EXPECT_THAT(ErrorOf("a{b=c} 1"), HasSubstr("in quotes"));
  EXPECT_THAT(ErrorOf("a{b} 1"), HasSubstr("'='"));
  EXPECT_THAT(ErrorOf("a{b=\"\" c=\"\"} 1"), HasSubstr("',' or '}'"));
  EXPECT_THAT(ErrorOf("a{1=\"\"} 1"), HasSubstr("the name of a label"));
  EXPECT_THAT(ErrorOf("a"), HasSubstr("a number"));
  EXPECT_THAT(ErrorOf("a +-1"), HasSubstr("a number"));
  EXPECT_THAT(ErrorOf("a 0x1"), HasSubstr("a number"));
  EXPECT_THAT(ErrorOf("a 1e999"), HasSubstr("fits"));
  EXPECT_THAT(ErrorOf("a 1 soon"), HasSubstr("milliseconds"));
  EXPECT_THAT(ErrorOf("a 1 2 3"), HasSubstr("the end of the line"));
}

TEST(PrometheusParserTest, TakesNoMoreThanItsLimits) {
  EXPECT_THAT(ErrorOf("a" + std::string(kMaxMetricsLineBytes, ' ') + "1"), HasSubstr("bytes"));
  std::string labels;
  for (size_t i = 0; i <= kMaxLabels; ++i) labels += "l" + std::to_string(i) + "=\"\",";
  EXPECT_THAT(ErrorOf("a{" + labels + "} 1"), HasSubstr("labels"));
  std::string many;
  for (size_t i = 0; i <= kMaxMetricsSamples; ++i) many += "a 1\n";
  EXPECT_THAT(ErrorOf(many), HasSubstr("more than 2000000 metrics"));
  EXPECT_THAT(ErrorOf(std::string(kMaxMetricsTextBytes + 1, '\n')), HasSubstr("bytes"));
}

}  // namespace
}  // namespace cairn::telemetry
