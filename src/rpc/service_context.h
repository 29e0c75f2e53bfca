// What every RPC needs: the node and the helpers around it. And the timing and reporting of one
// call.
#pragma once

#include <grpcpp/server_context.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "broker/broker.h"
#include "cluster/membership.h"
#include "cluster/node.h"
#include "env/clock.h"
#include "rpc/call_guard.h"
#include "rpc/consumer_positions.h"
#include "rpc/grpc_server.h"
#include "rpc/reader_pool.h"
#include "rpc/rpc_observer.h"
#include "rpc/stream_registry.h"

namespace cairn::rpc {

// All referents outlive the services. Thread-safe.
struct ServiceContext {
  broker::Broker& broker;  // the node, as what serves topics
  cluster::Node& node;
  cluster::Membership& membership;
  env::Clock& clock;
  RpcObserver& observer;
  ReaderPool& readers;
  StreamRegistry& streams;
  ConsumerPositions& positions;
  std::function<std::vector<ServerInfo>()> servers;
  const Security& security;
};

// Guards, times and reports one RPC. Thread-compatible.
class CallReport {
 public:
  CallReport(const ServiceContext& context, grpc::CallbackServerContext* call,
             std::string_view method)
      : context_(context),
        call_(call),
        guard_(context.security, *call),
        method_(method),
        start_ns_(context.clock.MonotonicNs()) {}

  const CallGuard& guard() const { return guard_; }

  void SetPartition(std::string_view topic, int32_t partition) {
    topic_ = topic;
    partition_ = partition;
  }

  // Of a stream, once its beginning is known.
  void Opened() {
    streamed_ = true;
    if (!context_.observer.WantsRpc(absl::StatusCode::kOk)) return;
    context_.observer.OnStreamOpen({.method = method_,
                                    .peer = call_->peer(),
                                    .subject = guard_.Subject(),
                                    .topic = topic_,
                                    .partition = partition_});
  }

  // Once, from OnDone, while the call is still there.
  void Done(const absl::Status& status, uint64_t requests, uint64_t responses) const {
    const int64_t duration_ns = context_.clock.MonotonicNs() - start_ns_;
    context_.observer.OnRpcEnd(method_, status.code(), duration_ns);
    if (!context_.observer.WantsRpc(status.code())) return;
    context_.observer.OnRpc({.method = method_,
                             .peer = call_->peer(),
                             .subject = guard_.Subject(),
                             .topic = topic_,
                             .partition = partition_,
                             .status = status,
                             .duration_ns = duration_ns,
                             .streamed = streamed_,
                             .requests = requests,
                             .responses = responses});
  }

 private:
  const ServiceContext& context_;
  grpc::CallbackServerContext* call_;
  const CallGuard guard_;
  std::string_view method_;  // a literal
  int64_t start_ns_;
  std::string topic_;
  int32_t partition_ = 0;
  bool streamed_ = false;
};

}  // namespace cairn::rpc
