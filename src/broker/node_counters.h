// What all partitions of a node count together. Every field may be used by any thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "consensus/raft_counters.h"
#include "telemetry/instruments.h"

namespace cairn::broker {

struct NodeCounters {
  std::atomic<uint64_t> inflight_bytes{0};  // of produce requests accepted and not answered
  std::atomic<uint64_t> records_appended{0};
  std::atomic<uint64_t> bytes_appended{0};
  std::atomic<bool> disk_full{false};  // the last write that met the disk found no space
  // From taking a batch in to its answer, on the leader.
  telemetry::Histogram produce_ns{telemetry::Metric::kProduceDuration};
  consensus::RaftCounters raft;
};

// What one partition counts, on this node, since its replica was opened. As above.
struct PartitionCounters {
  telemetry::Counter produced_records;  // that producers were told are stored
  telemetry::Counter produced_bytes;    // as they were sent
  telemetry::Counter consumed_records;
  telemetry::Counter consumed_bytes;  // as they are sent
};

}  // namespace cairn::broker
