#include "telemetry/samples.h"

#include "base/check.h"

namespace cairn::telemetry {

Sample& Samples::Append(Metric metric, std::initializer_list<std::string_view> labels) {
  CAIRN_CHECK(labels.size() == SpecOf(metric).labels.size(), "a value for each label of the table");
  Sample& sample = samples_[static_cast<size_t>(metric)].emplace_back();
  sample.labels.assign(labels.begin(), labels.end());
  return sample;
}

void Samples::Add(Metric metric, double value, std::initializer_list<std::string_view> labels) {
  CAIRN_CHECK(SpecOf(metric).kind != MetricKind::kHistogram, "a histogram is no number");
  Append(metric, labels).value = value;
}

void Samples::Add(Metric metric, const Histogram& histogram,
                  std::initializer_list<std::string_view> labels) {
  CAIRN_CHECK(SpecOf(metric).kind == MetricKind::kHistogram, "only histograms have buckets");
  Append(metric, labels).value = histogram.Read();
}

bool Samples::AdmitPartition() {
  if (partitions_ < max_partitions_) {
    ++partitions_;
    return true;
  }
  ++left_out_;
  return false;
}

}  // namespace cairn::telemetry
