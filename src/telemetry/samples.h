// Samples: every value of one scrape, by metric.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "telemetry/instruments.h"
#include "telemetry/metric_table.h"

namespace cairn::telemetry {

struct Sample {
  std::vector<std::string> labels;  // values, in the order of the metric's label names
  std::variant<double, HistogramValue> value;
};

// Thread-compatible.
class Samples {
 public:
  // Partitions beyond `max_partitions` are left out.
  explicit Samples(size_t max_partitions) : max_partitions_(max_partitions) {}

  // As many labels as the metric has, in UTF-8. A pair of metric and labels is added once.
  void Add(Metric metric, double value, std::initializer_list<std::string_view> labels = {});
  void Add(Metric metric, uint64_t value, std::initializer_list<std::string_view> labels = {}) {
    Add(metric, static_cast<double>(value), labels);
  }
  void Add(Metric metric, const Histogram& histogram,
           std::initializer_list<std::string_view> labels = {});

  // Asked once for each partition, before its metrics are added. False, and counted: there is no
  // room for them.
  bool AdmitPartition();
  size_t left_out() const { return left_out_; }

  const std::vector<Sample>& of(Metric metric) const {
    return samples_[static_cast<size_t>(metric)];
  }

 private:
  Sample& Append(Metric metric, std::initializer_list<std::string_view> labels);

  const size_t max_partitions_;
  size_t partitions_ = 0;
  size_t left_out_ = 0;
  std::array<std::vector<Sample>, kMetricCount> samples_;
};

}  // namespace cairn::telemetry
