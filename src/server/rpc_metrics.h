// RpcMetrics: counts and times every RPC, by method and code, on the way to who logs it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "rpc/rpc_observer.h"
#include "telemetry/instruments.h"
#include "telemetry/samples.h"

namespace cairn::server {

// Thread-safe. The methods are those of the API's services, all there from the start: a lookup and
// two atomic additions for each RPC.
class RpcMetrics final : public rpc::RpcObserver {
 public:
  // `next` hears everything, too; it outlives this.
  explicit RpcMetrics(rpc::RpcObserver& next);

  void AddTo(telemetry::Samples& samples) const;

  void OnRpcEnd(std::string_view method, absl::StatusCode code, int64_t duration_ns) override;
  bool WantsRpc(absl::StatusCode code) const override { return next_.WantsRpc(code); }
  void OnRpc(const rpc::RpcOutcome& outcome) override { next_.OnRpc(outcome); }
  void OnStreamOpen(const rpc::RpcOpening& opening) override { next_.OnStreamOpen(opening); }
  void OnConnectionRejected(std::string_view peer, std::string_view why) override {
    next_.OnConnectionRejected(peer, why);
  }

 private:
  static constexpr size_t kCodes = 17;  // OK … UNAUTHENTICATED

  struct Method {
    explicit Method(std::string name_in) : name(std::move(name_in)) {}
    const std::string name;
    std::array<telemetry::Counter, kCodes> codes;
    telemetry::Histogram duration_ns{telemetry::Metric::kRpcDuration};
  };

  rpc::RpcObserver& next_;
  std::deque<Method> methods_;
  absl::flat_hash_map<std::string_view, Method*> by_name_;
};

}  // namespace cairn::server
