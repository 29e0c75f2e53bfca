#include "telemetry/instruments.h"

#include <algorithm>

#include "base/check.h"

namespace cairn::telemetry {

Histogram::Histogram(Metric metric) : spec_(SpecOf(metric)) {
  CAIRN_CHECK(spec_.kind == MetricKind::kHistogram, "the table has buckets for histograms alone");
}

void Histogram::Observe(int64_t value) {
  const auto bucket = std::lower_bound(spec_.buckets.begin(), spec_.buckets.end(), value);
  counts_[static_cast<size_t>(bucket - spec_.buckets.begin())].fetch_add(1,
                                                                         std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

HistogramValue Histogram::Read() const {
  HistogramValue value;
  for (size_t i = 0; i <= spec_.buckets.size(); ++i) {
    value.counts.push_back(counts_[i].load(std::memory_order_relaxed));
  }
  value.sum = static_cast<double>(sum_.load(std::memory_order_relaxed)) * spec_.scale;
  return value;
}

}  // namespace cairn::telemetry
