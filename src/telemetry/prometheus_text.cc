#include "telemetry/prometheus_text.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

namespace cairn::telemetry {
namespace {

prometheus::MetricType TypeOf(MetricKind kind) {
  switch (kind) {
    case MetricKind::kCounter:
      return prometheus::MetricType::Counter;
    case MetricKind::kGauge:
      return prometheus::MetricType::Gauge;
    case MetricKind::kHistogram:
      break;
  }
  return prometheus::MetricType::Histogram;
}

prometheus::ClientMetric::Histogram ToHistogram(const MetricSpec& spec,
                                                const HistogramValue& value) {
  prometheus::ClientMetric::Histogram histogram;
  histogram.sample_sum = value.sum;
  for (size_t i = 0; i < value.counts.size(); ++i) {
    histogram.sample_count += value.counts[i];
    const double bound = i < spec.buckets.size() ? static_cast<double>(spec.buckets[i]) * spec.scale
                                                 : std::numeric_limits<double>::infinity();
    histogram.bucket.push_back({.cumulative_count = histogram.sample_count, .upper_bound = bound});
  }
  return histogram;
}

prometheus::ClientMetric ToMetric(const MetricSpec& spec, const Sample& sample) {
  prometheus::ClientMetric metric;
  metric.label.reserve(sample.labels.size());
  for (size_t i = 0; i < sample.labels.size(); ++i) {
    metric.label.push_back({std::string(spec.labels[i]), sample.labels[i]});
  }
  if (const auto* histogram = std::get_if<HistogramValue>(&sample.value)) {
    metric.histogram = ToHistogram(spec, *histogram);
  } else if (spec.kind == MetricKind::kCounter) {
    metric.counter.value = std::get<double>(sample.value);
  } else {
    metric.gauge.value = std::get<double>(sample.value);
  }
  return metric;
}

bool IsWanted(const MetricSpec& spec, std::span<const std::string> names) {
  return names.empty() || std::any_of(names.begin(), names.end(), [&](const std::string& name) {
           return spec.name.starts_with(name);
         });
}

}  // namespace

std::string ToPrometheusText(const Samples& samples, std::span<const std::string> names) {
  std::vector<prometheus::MetricFamily> families;
  for (const MetricSpec& spec : MetricTable()) {
    if (samples.of(spec.id).empty() || !IsWanted(spec, names)) continue;
    prometheus::MetricFamily& family = families.emplace_back();
    family.name = spec.name;
    family.help = spec.help;
    family.type = TypeOf(spec.kind);
    family.metric.reserve(samples.of(spec.id).size());
    for (const Sample& sample : samples.of(spec.id)) {
      family.metric.push_back(ToMetric(spec, sample));
    }
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace cairn::telemetry
