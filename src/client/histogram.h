// A histogram of durations with a relative error below 1 %: 128 buckets per power of two.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace cairn::client {

// Nanoseconds from 0 to 2^40 (18 minutes); longer ones count as that. Thread-compatible.
class Histogram {
 public:
  void Add(uint64_t ns) {
    ++buckets_[BucketOf(std::min(ns, kMaxNs))];
    ++count_;
    max_ns_ = std::max(max_ns_, ns);
  }

  void Merge(const Histogram& other) {
    for (size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
    count_ += other.count_;
    max_ns_ = std::max(max_ns_, other.max_ns_);
  }

  uint64_t count() const { return count_; }
  uint64_t max_ns() const { return max_ns_; }

  // The duration that `fraction` (0 … 1) of all do not exceed; 0 when there are none.
  uint64_t Quantile(double fraction) const {
    const auto rank = static_cast<uint64_t>(fraction * static_cast<double>(count_));
    uint64_t seen = 0;
    for (size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i];
      if (seen > rank || (seen == count_ && count_ > 0)) return std::min(UpperEdge(i), max_ns_);
    }
    return 0;
  }

 private:
  static constexpr int kSubBits = 7;
  static constexpr int kMaxBits = 40;
  static constexpr uint64_t kMaxNs = (uint64_t{1} << kMaxBits) - 1;

  // Values below 2^7 have a bucket each; above, the top eight bits tell the bucket.
  static size_t BucketOf(uint64_t ns) {
    if (ns < (1 << kSubBits)) return static_cast<size_t>(ns);
    const int shift = std::bit_width(ns) - kSubBits - 1;
    return (static_cast<size_t>(shift) << kSubBits) + static_cast<size_t>(ns >> shift);
  }
  static uint64_t UpperEdge(size_t bucket) {
    if (bucket < (2 << kSubBits)) return bucket;
    const size_t shift = (bucket >> kSubBits) - 1;
    return ((uint64_t{(bucket & ((1 << kSubBits) - 1)) + (1 << kSubBits)} + 1) << shift) - 1;
  }

  std::array<uint64_t, static_cast<size_t>(kMaxBits - kSubBits + 1) << kSubBits> buckets_{};
  uint64_t count_ = 0;
  uint64_t max_ns_ = 0;
};

}  // namespace cairn::client
