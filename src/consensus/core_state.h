// What a RaftCore starts from, put together from the log and the stable store.
#pragma once

#include "absl/status/statusor.h"
#include "base/types.h"
#include "consensus/raft_core.h"
#include "consensus/stable_store.h"
#include "log/log.h"

namespace cairn::consensus {

// The log is authority on entries; the stable store on (term, vote), and on where configurations
// stand. Reads a few entries of the log for every change of term. Blocking; where the log's writer
// runs. Errors: DATA_LOSS when the log's first entry is no configuration that the store knows, or
// those of reading.
absl::StatusOr<CoreState> LoadCoreState(const log::Log& log, const StableStore& store,
                                        GroupId group);

}  // namespace cairn::consensus
