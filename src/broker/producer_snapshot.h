// The snapshot of a partition's ProducerStates: file "producers.snapshot" beside the store files.
// It is a cache: without it the states are rebuilt from all headers of the log, and the producers
// of what retention removed are forgotten.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/types.h"
#include "broker/producer_states.h"
#include "env/file_system.h"
#include "log/log.h"

namespace cairn::broker {

// Durable on return. Blocking.
absl::Status WriteProducerSnapshot(env::FileSystem& fs, const std::string& directory,
                                   std::string_view encoded);

// The states below an offset, and the batches of the log behind it.
struct LoadedProducers {
  ProducerStates states;
  Offset end;                             // of what `states` covers
  std::vector<log::EntryHeader> batches;  // behind it, in order
};

// From the snapshot, if it fits the log, otherwise from the log's start. Damaged ranges are passed
// over: their producers are then unknown, which accepts any sequence. Blocking. Errors: those of
// the file system.
absl::StatusOr<LoadedProducers> LoadProducers(env::FileSystem& fs, const log::Log& log);

}  // namespace cairn::broker
