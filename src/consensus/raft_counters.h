// What all groups of a node count together, for operators. Every field may be used by any thread.
#pragma once

#include "telemetry/instruments.h"

namespace cairn::consensus {

struct RaftCounters {
  telemetry::Histogram sync_ns{telemetry::Metric::kFsyncDuration};  // of one commit group
  telemetry::Histogram group_entries{telemetry::Metric::kCommitGroup};
  telemetry::Counter elections;  // stood for
  telemetry::Counter leader_changes;
  telemetry::Counter snapshots_sent;
  telemetry::Counter snapshots_received;
};

}  // namespace cairn::consensus
