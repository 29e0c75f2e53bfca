// Every size, count and time of the RPC port that a client controls, with the reason for its bound.
#pragma once

#include <cstddef>
#include <cstdint>

#include "log/entry.h"

namespace cairn::rpc {

// A request may carry the largest body a store entry can hold, and the message around it. What a
// topic's own max_batch_bytes (8 MiB unless changed) forbids below that gets a precise
// INVALID_ARGUMENT; what is above is cut off by gRPC with RESOURCE_EXHAUSTED before it fills
// memory.
inline constexpr int kMaxRequestBytes = static_cast<int>(log::kMaxBodyBytes) + (1 << 20);

// Consume answers: the default suits clients that keep gRPC's default limit of 4 MiB for what they
// receive; the maximum bounds what one stream may pin in memory (twice: one response on its way,
// one prepared).
inline constexpr size_t kDefaultResponseBytes = 1 << 20;
inline constexpr size_t kMaxResponseBytes = 16 << 20;

// ProduceStream: requests accepted and not answered, per stream. 1024 covers a disk of 10 ms at
// 100,000 requests a second; the bytes cover 8 batches of the default limit. At either, the stream
// is not read.
inline constexpr size_t kMaxInFlightRequests = 1024;
inline constexpr size_t kMaxInFlightBytes = 64 << 20;

// Requests of one ProduceStream that are parts of the trace the stream was opened for. A stream may
// last for days, and a trace is looked at whole.
inline constexpr uint32_t kMaxTracedRequests = 1000;

// Streams and calls of one connection at a time; a client that wants more waits in its own queue.
inline constexpr int kMaxStreamsPerConnection = 1024;

// Memory gRPC may hold for messages and buffers of all connections, beyond which it slows down
// reading.
inline constexpr size_t kGrpcMemoryBytes = 512 << 20;

// A connection must show what it is within this. Long enough for two retransmissions of a lost
// packet.
inline constexpr int64_t kFirstBytesTimeoutNs = 5'000'000'000;
// And gRPC's preface and settings must follow within this.
inline constexpr int kGrpcHandshakeTimeoutMs = 10'000;
// Connections that have not shown what they are. Each costs a descriptor, a timer and 64 bytes, or
// up to kMaxClientHelloBytes while its ClientHello is on the way: 16 MiB for all of them.
inline constexpr size_t kMaxPendingConnections = 1024;
// A TLS ClientHello, with the headers of its records. Those of browsers with post-quantum key
// shares have 2 KiB, and session tickets add a few more; the protocol itself would allow 16 MiB.
inline constexpr size_t kMaxClientHelloBytes = 16 << 10;
// Descriptors of connections given away that the census looks at for one new connection, at a
// limit: each look is a system call of less than a microsecond, and a refused client comes again.
inline constexpr size_t kCensusLooks = 256;
// How long accepting rests when the process is out of descriptors or too many connections are
// pending.
inline constexpr int64_t kAcceptBackoffNs = 100'000'000;

// gRPC pings a silent connection after the first time and drops it when no answer comes within the
// second, so that a vanished client does not hold its streams for the hours of TCP.
inline constexpr int kKeepaliveTimeMs = 30'000;
inline constexpr int kKeepaliveTimeoutMs = 10'000;
// Clients may ping as often as this; more often is abuse and ends the connection.
inline constexpr int kMinClientPingIntervalMs = 2'000;
// A connection without any call gives its descriptor back after this.
inline constexpr int kMaxConnectionIdleMs = 15 * 60 * 1000;

// Calls that wait for a reader thread. Each stream and call has at most one; beyond this they are
// refused.
inline constexpr size_t kMaxQueuedReads = 65'536;

// Certificates of clients whose check is remembered. A few hundred bytes each.
inline constexpr size_t kMaxCheckedCertificates = 4096;

}  // namespace cairn::rpc
