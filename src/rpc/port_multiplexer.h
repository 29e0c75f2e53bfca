// PortMultiplexer: accepts the connections of the RPC port and hands each to the protocol that its
// first bytes show.
//
// Sits between env::Network and the protocols (gRPC, HTTP, Raft peers). A slow or silent peer
// costs a timer and a small buffer (64 bytes, or a ClientHello), not a thread; the number of
// undecided connections is bounded. When the process runs out of descriptors, accepting rests for a
// while instead of spinning.
//
// Threads: all work and all handlers run on the executor's thread; constructor, Start, Stop and
// counters() may be called from any other thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "env/executor.h"
#include "env/network.h"
#include "rpc/limits.h"
#include "rpc/rpc_observer.h"

namespace cairn::rpc {

struct MultiplexerOptions {
  int64_t first_bytes_timeout_ns = kFirstBytesTimeoutNs;
  size_t max_pending_connections = kMaxPendingConnections;
  int64_t accept_backoff_ns = kAcceptBackoffNs;
  // Whether gRPC and HTTP come over TLS, told apart by what the ClientHello offers, and in no other
  // way. Peers make their own TLS behind their first byte.
  bool tls = false;
};

// Since the start, but for pending.
struct MultiplexerCounters {
  uint64_t accepted = 0;
  uint64_t grpc = 0;
  uint64_t http = 0;
  uint64_t peer = 0;
  uint64_t unknown_protocol = 0;  // closed: the first bytes are of no protocol we serve
  uint64_t clear_text = 0;        // closed: gRPC or HTTP without TLS
  uint64_t timed_out = 0;         // closed: no first bytes in time
  uint64_t disconnected = 0;      // the peer closed, or failed, before it showed what it is
  uint64_t accept_failures = 0;
  uint64_t pending = 0;  // now
};

class PortMultiplexer {
 public:
  // Takes over a connection of which `first_bytes` have been read already.
  using Handler = absl::AnyInvocable<void(std::unique_ptr<env::Connection> connection,
                                          std::string first_bytes)>;

  // A protocol whose handler is empty is closed and counted like an unknown one.
  struct Handlers {
    Handler grpc;
    Handler http;
    Handler peer;
  };

  // `executor` is the one on which `listener` works; it and `observer` outlive the multiplexer.
  PortMultiplexer(env::Executor& executor, std::unique_ptr<env::Listener> listener,
                  Handlers handlers, RpcObserver& observer, MultiplexerOptions options);
  // Stop must have been called if Start was.
  ~PortMultiplexer();

  void Start();

  // Closes the listener and every undecided connection; afterwards no handler is called any more.
  // Blocking; not from the executor's thread. Idempotent.
  void Stop();

  MultiplexerCounters counters() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;  // shared with callbacks on their way through the executor
};

}  // namespace cairn::rpc
