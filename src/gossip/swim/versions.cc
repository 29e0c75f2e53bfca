#include "gossip/swim/versions.h"

#include <algorithm>

#include "base/strings.h"

namespace cairn::gossip {

absl::Status CheckVersions(const std::vector<NamedVersions>& nodes) {
  uint8_t protocol_low = 0;
  uint8_t protocol_high = UINT8_MAX;
  uint8_t delegate_low = 0;
  uint8_t delegate_high = UINT8_MAX;
  const Versions nothing = {0, 0, 0, 0, 0, 0};
  for (const auto& [name, v] : nodes) {
    if (v == nothing) continue;
    protocol_low = std::max(protocol_low, v.protocol_min);
    protocol_high = std::min(protocol_high, v.protocol_max);
    delegate_low = std::max(delegate_low, v.delegate_min);
    delegate_high = std::min(delegate_high, v.delegate_max);
  }
  for (const auto& [name, v] : nodes) {
    if (v == nothing) continue;
    if (v.protocol_current < protocol_low || v.protocol_current > protocol_high) {
      return absl::FailedPreconditionError(base::StrCat(
          "node ", name, " speaks gossip protocol ", v.protocol_current,
          ", and all nodes together understand ", protocol_low, " to ", protocol_high));
    }
    if (v.delegate_current < delegate_low || v.delegate_current > delegate_high) {
      return absl::FailedPreconditionError(base::StrCat(
          "node ", name, " speaks Serf protocol ", v.delegate_current,
          ", and all nodes together understand ", delegate_low, " to ", delegate_high));
    }
  }
  return absl::OkStatus();
}

}  // namespace cairn::gossip
