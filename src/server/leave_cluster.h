// A node that goes for good: the controller drains it, and it waits until it was removed.
//
// Asked over the peers' connections, as `cairn cluster drain` is: what gossip says moves nothing
// (docs/adr/0011).
#pragma once

#include <cstdint>

#include "cluster/node.h"
#include "server/logger.h"

namespace cairn::server {

// The longest that a stop waits for it. Whoever stops services kills after 90 s (systemd).
inline constexpr int64_t kLeaveMs = 60'000;

// Blocking, kLeaveMs at most; says in the log how it ended. Not drained in time, the node stays
// draining: the others make its replicas anew from theirs. A node that is its whole cluster, or in
// none, has nobody to leave to: returns at once.
void LeaveCluster(cluster::Node& node, Logger& logger);

}  // namespace cairn::server
