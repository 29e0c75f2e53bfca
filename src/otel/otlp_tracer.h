// OtlpTracer: spans of a node, through OpenTelemetry's SDK to a collector.
//
// The SDK decides what is sampled (its samplers), batches (BatchSpanProcessor) and speaks OTLP, by
// gRPC or HTTP. Ids and times are ours: a span is handed over when it has ended.
//
// Threads: thread-safe. Exports run on a thread of the SDK; nobody waits for them but Stop, for a
// bounded time. A collector that is down or hangs costs spans, which are counted.
#pragma once

#include <memory>

#include "base/trace_context.h"
#include "env/clock.h"
#include "otel/export_counters.h"
#include "otel/options.h"
#include "telemetry/head_tracer.h"

namespace cairn::otel {

class OtlpTracer final : public telemetry::HeadTracer {
 public:
  // `options.traces` has a URL. `clock` is the machine's, and outlives the tracer. `counters` is
  // shared with an export that may outlive Stop.
  OtlpTracer(const Options& options, const env::Clock& clock,
             std::shared_ptr<ExportCounters> counters);
  ~OtlpTracer() override;

  base::TraceContext Begin(const base::TraceContext& caller) override;
  base::TraceContext ChildOf(const base::TraceContext& parent) override;
  void End(telemetry::Span span) override;

  // Exports what has ended, for kStopMs at most; what ends later is dropped. Idempotent.
  void Stop();

 private:
  class Impl;
  const std::shared_ptr<Impl> impl_;  // shared with an export that outlives Stop
};

}  // namespace cairn::otel
