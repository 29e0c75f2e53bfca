// What the process takes of the machine, from the operating system.
#pragma once

#include <cstdint>
#include <string_view>

#include "telemetry/samples.h"

namespace cairn::server {

struct ProcessUse {
  double cpu_seconds = 0;  // user and system
  uint64_t resident_bytes = 0;
  uint64_t descriptors = 0;
  uint64_t threads = 0;
};
// Reads /proc.
ProcessUse UseOfProcess();

// What this program was compiled with.
std::string_view Compiler();

// CPU, memory, descriptors, threads, `start_ms` (since 1970), version and compiler. Reads /proc.
void AddProcessMetrics(telemetry::Samples& samples, int64_t start_ms);

}  // namespace cairn::server
