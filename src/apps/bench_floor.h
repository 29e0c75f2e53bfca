// The floor that a durable append cannot go below: pwrite and fdatasync in a loop, nothing else.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "client/histogram.h"

namespace cairn::apps {

struct FloorResult {
  double seconds = 0;
  uint64_t writes = 0;
  uint64_t bytes = 0;
  client::Histogram latency;  // of one pwrite and its fdatasync
};

// Appends `write_bytes` and syncs, again and again for `seconds`, in a new file of `directory` that
// is removed at the end. Errors: of the file system.
absl::StatusOr<FloorResult> MeasureFloor(const std::string& directory, size_t write_bytes,
                                         double seconds);

}  // namespace cairn::apps
