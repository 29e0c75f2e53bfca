// One seed of the core's simulator: a group under a random workload and random faults, then healed.
#pragma once

#include <string>

#include "consensus/core_sim.h"

namespace cairn::consensus {

struct CoreRunOptions {
  uint64_t seed = 1;
  LinkMode link = LinkMode::kFifo;
  int64_t seconds = 20;  // of faults, in virtual time
  Guards guards;
  bool remember_departures = true;
};

struct CoreRunResult {
  std::string failure;    // empty: none
  int64_t settle_ms = 0;  // from healing until all nodes agree and nothing is under way
  uint64_t trace_hash = 0;
  CoreSim::Counts counts;
};

// Clients write and read, an operator changes members and hands leadership over, links are cut,
// nodes crash, stop and lose their disks, are let go and taken in again, retention deletes. After
// `seconds` all of that ends; then the group must agree within 30 s, and commit a write.
CoreRunResult RunCoreSim(const CoreRunOptions& options);

}  // namespace cairn::consensus
