// The snapshot of a partition's ProducerStates: file "producers.snapshot" beside the store files.
// It is a cache: without it the states are rebuilt from all headers of the log.
#pragma once

#include <string>

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

// Adds the batches of [from, to) to `states`. Damaged ranges are passed over: their producers are
// then unknown, which accepts any sequence. Blocking. Errors: those of the file system.
absl::Status ReplayProducers(const log::Log& log, Offset from, Offset to, ProducerStates& states);

// The states at the end of `log`: from the snapshot, if it fits, and the headers behind it.
// Blocking.
absl::StatusOr<ProducerStates> LoadProducerStates(env::FileSystem& fs, const log::Log& log);

}  // namespace cairn::broker
