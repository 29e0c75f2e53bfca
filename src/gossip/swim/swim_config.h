// The constants of memberlist's protocol, as its LAN profile has them: nodes that gossip with each
// other should agree on them. SWIM: Das, Gupta, Motivala, DSN 2002. Lifeguard: Dadgar, Phillips,
// Currey, DSN 2018 workshops.
#pragma once

#include <cstdint>
#include <string>

#include "gossip/wire/address.h"
#include "gossip/wire/messages.h"

namespace cairn::gossip {

inline constexpr int64_t kNsPerMs = 1'000'000;
inline constexpr int64_t kNsPerSecond = 1'000'000'000;

struct SwimConfig {
  std::string name;  // unique in the cluster; see CheckName
  Address address;   // where others reach this node, UDP and TCP
  Versions versions;

  // One member is probed per interval (SWIM section 3.1), which the awareness stretches.
  int64_t probe_interval_ns = kNsPerSecond;
  // Without an answer for so long, others are asked to probe. Below the interval.
  int64_t probe_timeout_ns = 500 * kNsPerMs;
  int indirect_checks = 3;
  // Broadcasts go to so many random members each time.
  int64_t gossip_interval_ns = 200 * kNsPerMs;
  int gossip_nodes = 3;
  // The dead are told, too, for so long: they may be able to say that they are not.
  int64_t gossip_to_dead_ns = 30 * kNsPerSecond;
  // All state is exchanged with one member; rarer in clusters above kPushPullScaleNodes.
  int64_t push_pull_interval_ns = 30 * kNsPerSecond;
  int64_t push_pull_timeout_ns = 10 * kNsPerSecond;
  // A broadcast is sent this many times log10(n + 1).
  int retransmit_multiplier = 4;
  // A suspicion lasts at least this many times log10(n) intervals, and at most
  // suspicion_max_multiplier times that (Lifeguard section IV-B).
  int suspicion_multiplier = 4;
  int suspicion_max_multiplier = 6;
  // Scores of the awareness are below this (Lifeguard section IV-A).
  int awareness_limit = 8;
};

inline constexpr int kPushPullScaleNodes = 32;
// Protocol versions that brought something.
inline constexpr uint8_t kProtocolStreamPing = 3;
inline constexpr uint8_t kProtocolNack = 4;
inline constexpr uint8_t kProtocolChecksum = 5;

// Members that are known at once, the dead included; more are not let in.
inline constexpr size_t kMaxMembers = 20'000;
// Pings on behalf of others that wait for an answer; more are dropped.
inline constexpr size_t kMaxRelayedPings = 512;
// Smaller packets are not compressed: it would not pay for the time.
inline constexpr size_t kCompressAboveBytes = 256;

}  // namespace cairn::gossip
