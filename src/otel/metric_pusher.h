// MetricPusher: what a scrape of /metrics shows, sent to a collector by OTLP every so often.
//
// Names, labels, buckets and units are those of telemetry/metric_table.h; counters and histograms
// count from the start of the process. Has a thread of its own, on which a collector that hangs
// keeps nobody else waiting.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "otel/export_counters.h"
#include "otel/options.h"
#include "telemetry/samples.h"

namespace cairn::otel {

// Thread-safe.
class MetricPusher {
 public:
  using Done = absl::AnyInvocable<void(telemetry::Samples)>;
  // Asks for all samples; `done` is called once, later and on another thread, or never. Must not
  // block.
  using Collect = std::function<void(Done done)>;

  // `options.metrics` has a URL. `collect` is not called after Stop. `counters` is shared with an
  // export that may outlive Stop.
  MetricPusher(const Options& options, Collect collect, std::shared_ptr<ExportCounters> counters);
  ~MetricPusher();

  // Sends the last values, for kStopMs at most. Idempotent.
  void Stop();

 private:
  class Impl;
  const std::shared_ptr<Impl> impl_;  // shared with an export that outlives Stop
};

}  // namespace cairn::otel
