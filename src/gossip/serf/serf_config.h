// What a node is and how patient it is, in Serf's defaults.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gossip/swim/swim_config.h"
#include "gossip/wire/tags.h"

namespace cairn::gossip {

struct SerfConfig {
  SwimConfig swim;
  Tags tags;
  // Keys of 16, 24 or 32 bytes, the primary first; none: nothing is sealed.
  std::vector<std::string> keys;
  std::string label;

  // A failed member is tried again: one in each interval.
  int64_t reconnect_interval_ns = 30 * kNsPerSecond;
  // Failed and left members are forgotten after so long.
  int64_t reap_interval_ns = 15 * kNsPerSecond;
  int64_t reconnect_timeout_ns = 24 * 3600 * kNsPerSecond;
  int64_t tombstone_timeout_ns = 24 * 3600 * kNsPerSecond;
  // Intents of members that are not known yet are kept so long.
  int64_t recent_intent_timeout_ns = 300 * kNsPerSecond;
  // Leaving: at most so long for each of its two messages to get around, and then so long for the
  // last of them to be heard.
  int64_t broadcast_timeout_ns = 5 * kNsPerSecond;
  int64_t leave_propagate_ns = kNsPerSecond;
  // A query waits gossip_interval * this * ceil(log10(n + 1)) unless it says otherwise.
  int query_timeout_multiplier = 16;
  // Events that may be coalesced are held back until none of their name came for quiescent_ns, but
  // at most for period_ns. 0: not held back.
  int64_t event_coalesce_period_ns = 0;
  int64_t event_coalesce_quiescent_ns = 0;
};

// Intents of unknown members that are kept.
inline constexpr size_t kMaxRecentIntents = 4096;
// Queries of ours that wait for answers, and of others that wait for ours.
inline constexpr size_t kMaxPendingQueries = 1024;
// A query's timeout, whatever it says.
inline constexpr int64_t kMaxQueryTimeoutNs = 600 * kNsPerSecond;
// Names of events that are held back.
inline constexpr size_t kMaxCoalescedNames = 1024;

}  // namespace cairn::gossip
