#include "gossip/swim/formulas.h"

#include <algorithm>
#include <cmath>

#include "gossip/swim/swim_config.h"

namespace cairn::gossip {

int RetransmitLimit(int multiplier, size_t nodes) {
  return multiplier * static_cast<int>(std::ceil(std::log10(static_cast<double>(nodes + 1))));
}

int64_t SuspicionTimeoutNs(int multiplier, size_t nodes, int64_t interval_ns) {
  const double scale = std::max(1.0, std::log10(std::max(1.0, static_cast<double>(nodes))));
  // In thousandths, as memberlist rounds.
  return multiplier * static_cast<int64_t>(scale * 1000) * interval_ns / 1000;
}

int64_t ConfirmedTimeoutNs(int confirmations, int expected, int64_t min_ns, int64_t max_ns) {
  const double part = std::log(confirmations + 1.0) / std::log(expected + 1.0);
  const double timeout_ns =
      static_cast<double>(max_ns) - part * static_cast<double>(max_ns - min_ns);
  const auto whole_ms = static_cast<int64_t>(std::floor(timeout_ns / kNsPerMs)) * kNsPerMs;
  return std::max(whole_ms, min_ns);
}

int64_t PushPullIntervalNs(int64_t interval_ns, size_t nodes) {
  if (nodes <= kPushPullScaleNodes) return interval_ns;
  const double doublings = std::log2(static_cast<double>(nodes)) - std::log2(kPushPullScaleNodes);
  return interval_ns * (static_cast<int64_t>(std::ceil(doublings)) + 1);
}

}  // namespace cairn::gossip
