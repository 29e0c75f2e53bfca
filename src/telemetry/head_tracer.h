// HeadTracer: a tracer that also decides, where work comes in from outside, whether it is traced.
#pragma once

#include "base/trace_context.h"
#include "telemetry/tracer.h"

namespace cairn::telemetry {

// Thread-safe.
class HeadTracer : public Tracer {
 public:
  // The context of work that `caller` asked for; not valid: nobody said for which trace. Sampled:
  // an id of its own, in the caller's trace or a new one. Else what the caller said, or nothing,
  // not sampled.
  virtual base::TraceContext Begin(const base::TraceContext& caller) = 0;
};

}  // namespace cairn::telemetry
