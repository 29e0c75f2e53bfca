// RpcLog: one log line per RPC, two per stream, one per refused connection.
#pragma once

#include "rpc/rpc_observer.h"
#include "server/logger.h"

namespace cairn::server {

// At debug what went well or was cancelled by the client; at warn what failed. Thread-safe.
class RpcLog final : public rpc::RpcObserver {
 public:
  // `logger` outlives this.
  explicit RpcLog(Logger& logger) : logger_(logger) {}

  bool WantsRpc(absl::StatusCode code) const override;
  void OnStreamOpen(const rpc::RpcOpening& opening) override;
  void OnRpc(const rpc::RpcOutcome& outcome) override;
  void OnConnectionRejected(std::string_view peer, std::string_view why) override;

 private:
  Logger& logger_;
};

}  // namespace cairn::server
