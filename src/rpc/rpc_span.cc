#include "rpc/rpc_span.h"

#include <charconv>
#include <utility>

#include "base/strings.h"

namespace cairn::rpc {
namespace {

using telemetry::HeadTracer;
using telemetry::SpanAttribute;
using telemetry::SpanKind;

// What the server is to blame for, as the conventions list it; other errors are the caller's.
bool IsServersFault(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDataLoss:
      return true;
    default:
      return false;
  }
}

// From "ipv4:127.0.0.1:4711" and "ipv6:%5B::1%5D:4711" ("[::1]" with its brackets escaped).
void AddPeer(std::string_view peer, std::vector<SpanAttribute>& to) {
  if (!peer.starts_with("ipv4:") && !peer.starts_with("ipv6:")) return;
  peer.remove_prefix(5);
  const size_t colon = peer.rfind(':');
  if (colon == std::string_view::npos) return;
  std::string_view host = peer.substr(0, colon);
  int64_t port = 0;
  std::from_chars(peer.data() + colon + 1, peer.data() + peer.size(), port);
  for (const std::string_view open : {"%5B", "["}) {
    if (host.starts_with(open)) host.remove_prefix(open.size());
  }
  for (const std::string_view close : {"%5D", "]"}) {
    if (host.ends_with(close)) host.remove_suffix(close.size());
  }
  to.push_back({"client.address", std::string(host)});
  to.push_back({"network.peer.address", std::string(host)});
  to.push_back({"network.peer.port", port});
}

void Append(std::vector<SpanAttribute> from, std::vector<SpanAttribute>& to) {
  for (SpanAttribute& attribute : from) to.push_back(std::move(attribute));
}

}  // namespace

base::TraceContext CallerOf(const grpc::CallbackServerContext& call) {
  const auto [first, last] = call.client_metadata().equal_range("traceparent");
  if (first == last || std::next(first) != last) return {};
  const auto context = base::ParseTraceparent({first->second.data(), first->second.size()});
  return context.value_or(base::TraceContext());
}

RpcSpan BeginSpan(HeadTracer& tracer, const base::TraceContext& caller, int64_t now_ns) {
  RpcSpan span{.caller = caller, .context = tracer.Begin(caller)};
  if (!span.sampled()) return span;
  span.parent = caller.span_id;
  span.start_ns = now_ns;
  return span;
}

RpcSpan BeginRpcSpan(HeadTracer& tracer, const grpc::CallbackServerContext& call, int64_t now_ns) {
  return BeginSpan(tracer, CallerOf(call), now_ns);
}

RpcSpan BeginPart(HeadTracer& tracer, const base::TraceContext& parent, int64_t now_ns) {
  return {.caller = parent,
          .context = tracer.ChildOf(parent),
          .parent = parent.span_id,
          .start_ns = now_ns};
}

void EndSpan(HeadTracer& tracer, const RpcSpan& span, std::string_view name, SpanKind kind,
             const absl::Status& status, std::vector<SpanAttribute> attributes, int64_t now_ns) {
  tracer.End({.name = name,
              .kind = kind,
              .context = span.context,
              .parent = span.parent,
              .start_ns = span.start_ns,
              .end_ns = now_ns,
              .status = IsServersFault(status.code()) ? status : absl::OkStatus(),
              .attributes = std::move(attributes)});
}

std::vector<SpanAttribute> MessagingAttributes(std::string_view operation, std::string_view topic,
                                               int32_t partition, uint64_t records) {
  std::vector<SpanAttribute> attributes = {
      {"messaging.system", std::string("cairn")},
      {"messaging.operation.type", std::string(operation)},
      {"messaging.operation.name", std::string(operation == "send" ? "produce" : "consume")},
      {"messaging.destination.name", std::string(topic)},
      {"messaging.destination.partition.id", base::StrCat(partition)}};
  if (records > 0) {
    attributes.push_back({"messaging.batch.message_count", static_cast<int64_t>(records)});
  }
  return attributes;
}

void EndRpcSpan(HeadTracer& tracer, const RpcSpan& span, const RpcSpanEnd& end, int64_t now_ns) {
  const std::string_view name = end.method.substr(1);  // "log.v1.Log/Produce"
  const size_t slash = name.find('/');
  const std::string_view service = name.substr(0, slash);
  const std::string_view method = name.substr(slash + 1);
  std::vector<SpanAttribute> attributes = {
      {"rpc.system", std::string("grpc")},
      {"rpc.service", std::string(service)},
      {"rpc.method", std::string(method)},
      {"rpc.grpc.status_code", int64_t{end.status.raw_code()}}};
  AddPeer(end.peer, attributes);
  if (!end.topic.empty()) {
    if (method.starts_with("Produce")) {
      Append(MessagingAttributes("send", end.topic, end.partition, end.records), attributes);
    } else if (method.starts_with("Consume")) {
      Append(MessagingAttributes("receive", end.topic, end.partition, end.records), attributes);
    } else {
      attributes.push_back({"messaging.destination.name", std::string(end.topic)});
    }
  }
  if (end.streamed) {
    attributes.push_back({"cairn.stream.requests", static_cast<int64_t>(end.requests)});
    attributes.push_back({"cairn.stream.responses", static_cast<int64_t>(end.responses)});
  }
  EndSpan(tracer, span, name, SpanKind::kServer, end.status, std::move(attributes), now_ns);
}

}  // namespace cairn::rpc
