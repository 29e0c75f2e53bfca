#include "cluster/peer_span.h"

#include <string>
#include <utility>

namespace cairn::cluster {

void PeerSpan::Begin(const base::TraceContext& parent) {
  context_ = tracer_->ChildOf(parent);
  parent_ = parent.span_id;
  start_ns_ = clock_->MonotonicNs();
}

void PeerSpan::Tell(const absl::Status& status, NodeId other) {
  telemetry::Span span;
  span.name = "cairn.Peer/Produce";
  span.kind = kind_;
  span.context = context_;
  span.parent = parent_;
  span.start_ns = start_ns_;
  span.end_ns = clock_->MonotonicNs();
  span.status = status;
  span.attributes = {{"rpc.system", std::string("cairn")},
                     {"rpc.service", std::string("cairn.Peer")},
                     {"rpc.method", std::string("Produce")}};
  if (other.value() != 0) span.attributes.push_back({"cairn.node.id", int64_t{other.value()}});
  tracer_->End(std::move(span));
}

}  // namespace cairn::cluster
