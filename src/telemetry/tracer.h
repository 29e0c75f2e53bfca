// Tracer: where spans are told that they have ended, by whoever did the work: no OpenTelemetry
// here, so that the layers from `log` to `cluster` can trace and still run in the simulator.
//
// A piece of work is traced when it comes with a sampled context (base/trace_context.h); all other
// work costs one comparison.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "base/trace_context.h"

namespace cairn::telemetry {

enum class SpanKind : uint8_t { kInternal, kServer, kClient, kProducer, kConsumer };

struct SpanAttribute {
  std::string_view key;  // a literal
  std::variant<std::string, int64_t> value;
};

// A span that has ended.
struct Span {
  std::string_view name;  // a literal, as all of what makes few different ones
  SpanKind kind = SpanKind::kInternal;
  base::TraceContext context;  // its own
  base::SpanId parent{};       // zeros: it is the first of its trace
  int64_t start_ns = 0;        // of the clock's monotonic time
  int64_t end_ns = 0;
  absl::Status status;
  std::vector<SpanAttribute> attributes;
};

// Thread-safe.
class Tracer {
 public:
  virtual ~Tracer() = default;

  // A context with an id of its own, in the trace of `parent` and sampled like it.
  virtual base::TraceContext ChildOf(const base::TraceContext& parent) = 0;

  // Takes a span, to be exported some time, or dropped and counted. Never blocks.
  virtual void End(Span span) = 0;
};

}  // namespace cairn::telemetry
