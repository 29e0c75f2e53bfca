// One seed of the simulator: a cluster under load and faults, then healed and examined.
#pragma once

#include <cstdint>
#include <string>

#include "sim/faults.h"

namespace cairn::sim {

struct SimOptions {
  uint64_t seed = 1;
  size_t nodes = 5;
  int64_t duration_ms = 60'000;  // of faults, in simulated time
  FaultSet faults;
  bool verbose = false;  // every event of note to stderr
};

struct SimResult {
  std::string finding;  // empty: none
  uint64_t trace_hash = 0;
  uint64_t commits = 0;  // entries
  uint64_t acknowledged = 0;
  uint64_t reads = 0;
  uint64_t flips = 0;    // bits on disks
  uint64_t repairs = 0;  // of logs, from other replicas
  int64_t simulated_ms = 0;
  int64_t served_ms = 0;   // from healing until every partition took a write
  int64_t settled_ms = 0;  // and until all replicas were in place
  Faults::Counts faults{};
};

SimResult RunSim(const SimOptions& options);

// The command that does the same again.
std::string ReplayCommand(const SimOptions& options);

// One JSON object on one line: what was asked for and what came of it.
std::string ToJson(const SimOptions& options, const SimResult& result);

}  // namespace cairn::sim
