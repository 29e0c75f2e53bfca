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
#include "rpc/rpc_span.h"
#include "rpc/stream_registry.h"
#include "telemetry/head_tracer.h"

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
  telemetry::HeadTracer* tracer = nullptr;  // null: nothing is traced
};

// Guards, times, traces and reports one RPC. Thread-compatible.
class CallReport {
 public:
  CallReport(const ServiceContext& context, grpc::CallbackServerContext* call,
             std::string_view method)
      : context_(context),
        call_(call),
        guard_(context.security, *call),
        method_(method),
        start_ns_(context.clock.MonotonicNs()) {
    if (context.tracer != nullptr) span_ = BeginRpcSpan(*context.tracer, *call, start_ns_);
  }

  const CallGuard& guard() const { return guard_; }
  // Of the RPC; what is not traced has none.
  const RpcSpan& span() const { return span_; }

  // Whether the caller may, as CallGuard says, asked as a part of the work of `span`.
  absl::Status Check(const RpcSpan& span, security::Action action, std::string_view topic) const {
    return Authorise(span, action, [&] { return guard_.Check(action, topic); });
  }
  absl::Status Check(security::Action action, std::string_view topic) const {
    return Check(span_, action, topic);
  }
  absl::Status CheckNoTopic(security::Action action) const {
    return Authorise(span_, action, [&] { return guard_.CheckNoTopic(action); });
  }

  // How many records were appended or read, when that is known.
  void SetRecords(uint64_t records) { records_ = records; }

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
                                    .partition = partition_,
                                    .trace = ShownTrace()});
  }

  // Once, from OnDone, while the call is still there.
  void Done(const absl::Status& status, uint64_t requests, uint64_t responses) const {
    const int64_t duration_ns = context_.clock.MonotonicNs() - start_ns_;
    context_.observer.OnRpcEnd(method_, status.code(), duration_ns);
    if (span_.sampled()) {
      EndRpcSpan(*context_.tracer, span_,
                 {.method = method_,
                  .peer = call_->peer(),
                  .topic = topic_,
                  .partition = partition_,
                  .status = status,
                  .streamed = streamed_,
                  .requests = requests,
                  .responses = responses,
                  .records = records_},
                 start_ns_ + duration_ns);
    }
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
                             .responses = responses,
                             .trace = ShownTrace()});
  }

 private:
  template <typename Ask>
  absl::Status Authorise(const RpcSpan& span, security::Action action, Ask ask) const {
    if (!span.sampled()) return ask();
    const RpcSpan part = BeginPart(*context_.tracer, span.context, context_.clock.MonotonicNs());
    absl::Status may = ask();
    EndSpan(*context_.tracer, part, "authorise", telemetry::SpanKind::kInternal, may,
            {{"cairn.action", std::string(security::ToString(action))},
             {"cairn.allowed", std::string(may.ok() ? "true" : "false")}},
            context_.clock.MonotonicNs());
    return may;
  }

  // For a line of the log. Without a tracer nobody has asked what the client said.
  base::TraceContext ShownTrace() const {
    return context_.tracer != nullptr ? span_.shown() : CallerOf(*call_);
  }

  const ServiceContext& context_;
  grpc::CallbackServerContext* call_;
  const CallGuard guard_;
  std::string_view method_;  // a literal
  int64_t start_ns_;
  RpcSpan span_;
  std::string topic_;
  int32_t partition_ = 0;
  uint64_t records_ = 0;
  bool streamed_ = false;
};

}  // namespace cairn::rpc
