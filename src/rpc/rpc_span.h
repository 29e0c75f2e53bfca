// RpcSpan: the trace of one RPC: what its client said of it, and the span that it is.
//
// Names and attributes are OpenTelemetry's semantic conventions for RPC (v1.26) and messaging.
#pragma once

#include <grpcpp/server_context.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "base/trace_context.h"
#include "telemetry/head_tracer.h"

namespace cairn::rpc {

// The context in the call's metadata (W3C traceparent). Not valid: there is none, several, or
// garbage.
base::TraceContext CallerOf(const grpc::CallbackServerContext& call);

// What is known of an RPC at its end.
struct RpcSpanEnd {
  std::string_view method;  // "/log.v1.Log/Produce", a literal
  std::string peer;         // as gRPC writes it
  std::string_view topic;
  int32_t partition = 0;
  absl::Status status;
  bool streamed = false;
  uint64_t requests = 0;
  uint64_t responses = 0;
  uint64_t records = 0;  // 0: not known
};

// Of an RPC or, in a stream, of one request. Plain data; of what is not traced nothing is set.
struct RpcSpan {
  base::TraceContext caller;   // who asked: as it came in
  base::TraceContext context;  // its own; when it is not sampled, the caller's
  base::SpanId parent{};       // of `context`
  int64_t start_ns = 0;

  bool sampled() const { return context.sampled; }
  // For logs: its own ids, or at least the caller's.
  const base::TraceContext& shown() const { return context.valid() ? context : caller; }
};

// The span of an RPC that begins with `call`.
RpcSpan BeginRpcSpan(telemetry::HeadTracer& tracer, const grpc::CallbackServerContext& call,
                     int64_t now_ns);
// Of work that `caller` asked for; not valid: of a trace of its own.
RpcSpan BeginSpan(telemetry::HeadTracer& tracer, const base::TraceContext& caller, int64_t now_ns);
// Of a part of the work of `parent`, which is sampled.
RpcSpan BeginPart(telemetry::HeadTracer& tracer, const base::TraceContext& parent, int64_t now_ns);

// Of a span that is sampled.
void EndRpcSpan(telemetry::HeadTracer& tracer, const RpcSpan& span, const RpcSpanEnd& end,
                int64_t now_ns);
// `name` is a literal.
void EndSpan(telemetry::HeadTracer& tracer, const RpcSpan& span, std::string_view name,
             telemetry::SpanKind kind, const absl::Status& status,
             std::vector<telemetry::SpanAttribute> attributes, int64_t now_ns);

// Of a produce or consume request ("send", "receive").
std::vector<telemetry::SpanAttribute> MessagingAttributes(std::string_view operation,
                                                          std::string_view topic, int32_t partition,
                                                          uint64_t records);

}  // namespace cairn::rpc
