// The text format of Prometheus, read: what our own tools do with the metrics of a node.
//
// "Exposition formats" of Prometheus' documentation, text-based, version 0.0.4. Comments are passed
// over; of HELP and TYPE nothing is believed that the samples do not say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace cairn::telemetry {

// What is longer is refused. Twice what a node answers; lines and labels of our own metrics have
// some hundred bytes.
inline constexpr size_t kMaxMetricsTextBytes = 64u << 20;
inline constexpr size_t kMaxMetricsLineBytes = 64u << 10;
inline constexpr size_t kMaxLabels = 32;
inline constexpr size_t kMaxMetricsSamples = 2'000'000;  // of 60,000 partitions

struct ParsedSample {
  std::vector<std::pair<std::string, std::string>> labels;  // in the order of the text
  double value = 0;

  // The value of a label; "" when it is not there.
  std::string_view label(std::string_view name) const;
};

// A histogram as its series tell it: how many were at most as large as each bound, which ascend;
// the last bound is infinity.
struct ParsedHistogram {
  std::vector<std::pair<double, double>> buckets;  // bound, count
  double sum = 0;
  double count() const { return buckets.empty() ? 0 : buckets.back().second; }
};

// Thread-compatible.
class ParsedMetrics {
 public:
  // Errors: INVALID_ARGUMENT with the line, what is wrong there and what was expected.
  static absl::StatusOr<ParsedMetrics> Parse(std::string_view text);

  // In the order of the text; none for a name that is not there.
  const std::vector<ParsedSample>& of(std::string_view name) const;
  // Of the first sample with that name and, unless `label` is "", that label.
  std::optional<double> Value(std::string_view name, std::string_view label = "",
                              std::string_view value = "") const;
  // Of the series NAME_bucket and NAME_sum, whose labels but `le` do not matter: what differs in
  // them is added up. nullopt when there are none, or they are no histogram (the counts fall, or
  // there is no bound of infinity).
  std::optional<ParsedHistogram> Histogram(std::string_view name) const;

  size_t size() const { return size_; }  // samples

 private:
  std::map<std::string, std::vector<ParsedSample>, std::less<>> samples_;
  size_t size_ = 0;
};

}  // namespace cairn::telemetry
