// What the RPC port reports about its work, for logs and metrics.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "base/trace_context.h"

namespace cairn::rpc {

// An RPC that has begun: of streams.
struct RpcOpening {
  std::string_view method;  // "/log.v1.Log/ProduceStream"
  std::string peer;         // these as in RpcOutcome
  std::string subject;
  std::string_view topic;  // "" when the first request tells
  int32_t partition = 0;
  base::TraceContext trace;
};

// One finished RPC.
struct RpcOutcome {
  std::string_view method;  // "/log.v1.Log/Produce"
  std::string peer;         // as gRPC writes it: "ipv4:127.0.0.1:4711"
  std::string subject;      // "" when nobody has shown who it is
  std::string_view topic;   // "" for methods without one
  int32_t partition = 0;
  absl::Status status;
  int64_t duration_ns = 0;
  bool streamed = false;   // its beginning was reported, if that was wanted
  uint64_t requests = 0;   // that were taken
  uint64_t responses = 0;  // that were handed to gRPC
  // Its span's, or the client's when it is not sampled; not valid: neither.
  base::TraceContext trace;
};

// Thread-safe; called on gRPC's threads and the network loop, so it must not block for long.
class RpcObserver {
 public:
  virtual ~RpcObserver() = default;

  // Every RPC, when it has ended. `method` is as in RpcOutcome.
  virtual void OnRpcEnd(std::string_view /*method*/, absl::StatusCode /*code*/,
                        int64_t /*duration_ns*/) {}

  // Whether OnRpc wants to hear of an RPC that ended so. Building an outcome costs an allocation or
  // two, too much for the fast path when nobody listens.
  virtual bool WantsRpc(absl::StatusCode code) const = 0;
  virtual void OnRpc(const RpcOutcome& outcome) = 0;

  // The beginning of a stream, when WantsRpc(kOk).
  virtual void OnStreamOpen(const RpcOpening& /*opening*/) {}

  // A connection that was closed before any protocol took it over.
  virtual void OnConnectionRejected(std::string_view peer, std::string_view why) = 0;
};

}  // namespace cairn::rpc
