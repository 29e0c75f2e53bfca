// PeerSpan: the span of one produce request that a node sends to another, or answers.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "base/trace_context.h"
#include "base/types.h"
#include "env/clock.h"
#include "telemetry/tracer.h"

namespace cairn::cluster {

// Begins when it is made. Of work that is not traced it does nothing, and costs one comparison.
// Thread-compatible.
class PeerSpan {
 public:
  // `parent` is the context that the request came with. `tracer` may be null; it and `clock`
  // outlive the span.
  PeerSpan(telemetry::Tracer* tracer, const env::Clock& clock, telemetry::SpanKind kind,
           const base::TraceContext& parent)
      : tracer_(parent.sampled ? tracer : nullptr), clock_(&clock), kind_(kind) {
    if (tracer_ != nullptr) Begin(parent);
  }

  // What the work done for it is to carry: sampled, or nothing.
  const base::TraceContext& context() const { return context_; }

  // Once, when it is answered. `other` is the node asked; 0: not known.
  void End(const absl::Status& status, NodeId other = NodeId()) {
    if (tracer_ != nullptr) Tell(status, other);
  }

 private:
  void Begin(const base::TraceContext& parent);
  void Tell(const absl::Status& status, NodeId other);

  telemetry::Tracer* tracer_;
  const env::Clock* clock_;
  telemetry::SpanKind kind_;
  base::TraceContext context_;
  base::SpanId parent_{};
  int64_t start_ns_ = 0;
};

}  // namespace cairn::cluster
