// What became of what was to be exported.
#pragma once

#include "telemetry/instruments.h"
#include "telemetry/samples.h"

namespace cairn::otel {

// Thread-safe. Kept by whoever shows it, and by exporters that outlive their stop.
struct ExportCounters {
  telemetry::Counter spans_exported;
  telemetry::Counter spans_failed;   // the collector did not take them
  telemetry::Counter spans_dropped;  // the queue was full
  telemetry::Counter pushes_exported;
  telemetry::Counter pushes_failed;

  void AddTo(telemetry::Samples& samples) const {
    using telemetry::Metric;
    samples.Add(Metric::kTraceSpans, spans_exported.value(), {"exported"});
    samples.Add(Metric::kTraceSpans, spans_failed.value(), {"failed"});
    samples.Add(Metric::kTraceSpans, spans_dropped.value(), {"dropped"});
    samples.Add(Metric::kMetricPushes, pushes_exported.value(), {"exported"});
    samples.Add(Metric::kMetricPushes, pushes_failed.value(), {"failed"});
  }
};

// How long a stop waits for the collector to take what is left. Both exporters wait side by side
// with nothing, so a stop takes twice this at most because of them.
inline constexpr int64_t kStopMs = 1'000;

}  // namespace cairn::otel
