// What hot paths count with: a relaxed atomic addition, no lock, no allocation.
//
// Instruments live where the work is; a source (registry.h) reads them when a scrape comes.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "telemetry/metric_table.h"

namespace cairn::telemetry {

// Thread-safe.
class Counter {
 public:
  void Add(uint64_t amount = 1) { value_.fetch_add(amount, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// A histogram at one moment, in the unit of the metric.
struct HistogramValue {
  std::vector<uint64_t> counts;  // of each bucket by itself; one more than bounds: what is above
  double sum = 0;
};

// Thread-safe. A Read beside an Observe may have one of its two halves (bucket, sum) alone.
class Histogram {
 public:
  // `metric` is a histogram of the table, whose buckets it has.
  explicit Histogram(Metric metric);

  // `value` is in the unit of the buckets, >= 0.
  void Observe(int64_t value);
  HistogramValue Read() const;

 private:
  const MetricSpec& spec_;
  std::array<std::atomic<uint64_t>, kMaxBuckets + 1> counts_{};
  std::atomic<int64_t> sum_{0};
};

}  // namespace cairn::telemetry
