// Whether nodes understand each other: every node must be able to speak what every other speaks
// now.
#pragma once

#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "gossip/wire/messages.h"

namespace cairn::gossip {

struct NamedVersions {
  std::string_view name;
  Versions versions;
};

// Errors: FAILED_PRECONDITION that names a node whose current protocol or delegate version another
// does not understand. Nodes that tell nothing (all zero) are left out.
absl::Status CheckVersions(const std::vector<NamedVersions>& nodes);

// Versions that make sense: neither bound is 0, and they are in order.
inline bool AreSane(const Versions& v) {
  return v.protocol_min != 0 && v.protocol_max != 0 && v.protocol_min <= v.protocol_max;
}

}  // namespace cairn::gossip
