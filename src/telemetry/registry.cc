#include "telemetry/registry.h"

namespace cairn::telemetry {

Samples Registry::Collect() {
  Samples samples(max_partitions_);
  for (const Source& source : sources_) source(samples);
  left_out_ += samples.left_out();
  samples.Add(Metric::kSeriesDropped, left_out_);
  return samples;
}

}  // namespace cairn::telemetry
