// PortMultiplexer: accepts the connections of the RPC port and hands each to the protocol that its
// first bytes show.
//
// Sits between env::Network and the protocols (gRPC, HTTP, Raft peers). A slow or silent peer costs
// a timer and a small buffer, not a thread; the number of undecided connections is bounded, and
// that of all, and of all from one address, can be. When the process runs out of descriptors,
// accepting rests for a while instead of spinning.
//
// With TLS, a client's protocol is what its ClientHello offers by ALPN: "http/1.1" means HTTP even
// beside "h2", as a browser or curl offers both and gRPC's clients only the latter. The TLS itself
// is the business of the handlers, which get every byte read. What a client says in clear text is
// refused. Peers begin with their own byte either way and have their TLS behind it.
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
#include "rpc/connection_census.h"
#include "rpc/limits.h"
#include "rpc/rpc_observer.h"

namespace cairn::rpc {

struct MultiplexerOptions {
  int64_t first_bytes_timeout_ns = kFirstBytesTimeoutNs;
  size_t max_pending_connections = kMaxPendingConnections;
  int64_t accept_backoff_ns = kAcceptBackoffNs;
  // Clients speak TLS and nothing else. Without it, TLS is a protocol nobody knows.
  bool tls = false;
  // Of undecided ones, and those handed over until they are closed: one that comes when they are
  // all taken is closed at once. And of clients of one IP address, handed over, and as many
  // undecided ones: one more is closed as soon as it shows that it is a client. Peers do not count.
  ConnectionLimits limits = {};
};

// Since the start, but for pending.
struct MultiplexerCounters {
  uint64_t accepted = 0;
  uint64_t grpc = 0;
  uint64_t http = 0;
  uint64_t peer = 0;
  uint64_t unknown_protocol = 0;   // closed: the first bytes, or ALPN, name no protocol we serve
  uint64_t malformed_hello = 0;    // closed: began as TLS and went on as something else
  uint64_t plaintext_refused = 0;  // closed: gRPC or HTTP without the TLS that is required
  uint64_t refused_at_limit = 0;   // closed: too many connections, in all or of its address
  uint64_t timed_out = 0;          // closed: it did not show what it is in time
  uint64_t disconnected = 0;       // the peer closed, or failed, before it showed what it is
  uint64_t accept_failures = 0;
  uint64_t pending = 0;      // now
  uint64_t connections = 0;  // now, at most: some that gRPC has closed may still be counted
};

class PortMultiplexer {
 public:
  // Takes over a connection of which `first_bytes` have been read already (up to
  // kMaxClientHelloBytes of TLS, a few otherwise). It counts against the limits until it is closed
  // or destroyed or, when its descriptor was released, until that is closed.
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

  // Instead of those in the options, from now on; who is connected stays. Thread-safe.
  void SetLimits(ConnectionLimits limits);

  MultiplexerCounters counters() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;  // shared with callbacks on their way through the executor
};

}  // namespace cairn::rpc
