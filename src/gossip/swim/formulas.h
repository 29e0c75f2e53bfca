// memberlist's formulas: how long and how often, by the size of the cluster.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cairn::gossip {

// How often a broadcast is sent in a cluster of `nodes` (>= 0):
// multiplier * ceil(log10(nodes + 1)).
int RetransmitLimit(int multiplier, size_t nodes);

// The shortest time a node is suspected before it is dead: multiplier * max(1, log10(nodes)) *
// interval. Lifeguard section IV-B.
int64_t SuspicionTimeoutNs(int multiplier, size_t nodes, int64_t interval_ns);

// How long a suspicion lasts that `confirmations` others have confirmed, of `expected` (> 0) after
// which it lasts `min_ns` only: max - log(c + 1) / log(k + 1) * (max - min), in whole milliseconds,
// at least min. Lifeguard section IV-B.
int64_t ConfirmedTimeoutNs(int confirmations, int expected, int64_t min_ns, int64_t max_ns);

// Push/pulls get rarer above 32 nodes: interval * (ceil(log2(nodes) - log2(32)) + 1).
int64_t PushPullIntervalNs(int64_t interval_ns, size_t nodes);

}  // namespace cairn::gossip
