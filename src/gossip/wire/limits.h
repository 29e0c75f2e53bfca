// What a peer may make us hold, read or do. docs/formats/gossip.md lists where each applies.
#pragma once

#include <cstddef>

namespace cairn::gossip {

// The largest UDP payload there is; memberlist sends up to 1400 bytes unless configured otherwise.
inline constexpr size_t kMaxPacketBytes = 65'507;
// What we send at most in one packet: fits the smallest usual MTU with all headers.
inline constexpr size_t kPacketBudgetBytes = 1400;
// A packet may unfold (LZW) to this much.
inline constexpr size_t kMaxExpandedPacketBytes = 256 << 10;
// Layers of compound and compressed messages in one packet; what memberlist sends has 2.
inline constexpr int kMaxPacketNesting = 4;
// Messages in one packet, of all layers together.
inline constexpr size_t kMaxPacketMessages = 512;

// A push/pull, sealed, compressed and not: memberlist's own limit for a sealed one.
inline constexpr size_t kMaxStreamBytes = 20 << 20;
// Nodes in one push/pull; larger clusters do not gossip all their state.
inline constexpr size_t kMaxPushPullNodes = 20'000;
// A user message that comes by TCP.
inline constexpr size_t kMaxStreamUserBytes = 1 << 20;

// memberlist's limit for what a node tells of itself.
inline constexpr size_t kMaxMetaBytes = 512;
// Serf allows 128 characters.
inline constexpr size_t kMaxNameBytes = 255;
// Of newer memberlists: a length of one byte.
inline constexpr size_t kMaxLabelBytes = 255;
// Of an error that a peer reports by TCP; the rest is cut.
inline constexpr size_t kMaxErrorTextBytes = 1024;

// Serf's limits for names and payloads together.
inline constexpr size_t kMaxUserEventBytes = 512;
inline constexpr size_t kMaxQueryBytes = 1024;
inline constexpr size_t kMaxQueryResponseBytes = 1024;
// What a peer configured more generously may send: still within one packet.
inline constexpr size_t kMaxPeerPayloadBytes = 64 << 10;
// Filters of one query, and node names in one filter.
inline constexpr size_t kMaxQueryFilters = 64;
inline constexpr size_t kMaxFilterNames = 4096;
// A tag filter's regular expression.
inline constexpr size_t kMaxFilterExpressionBytes = 512;

}  // namespace cairn::gossip
