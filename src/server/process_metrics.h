// What the process takes of the machine, from the operating system.
#pragma once

#include <cstdint>

#include "telemetry/samples.h"

namespace cairn::server {

// CPU, memory, descriptors, threads, `start_ms` (since 1970), version and compiler. Reads /proc.
void AddProcessMetrics(telemetry::Samples& samples, int64_t start_ms);

}  // namespace cairn::server
