// Where a log begins, kept in the file "log-start" of its directory: the only thing about a log
// that its store files do not say themselves. docs/formats/log-start.md.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "base/types.h"
#include "env/file_system.h"

namespace cairn::log {

struct LogStart {
  Offset offset = {};       // first offset that may be read
  Index index = Index(1);   // of the first entry, when the log was created or reset
  Term term = {};           // of the entry before it
  uint32_t generation = 1;  // raised by Log::Reset; store files of another generation are leftovers
  // The log was created or reset and its first segment may not exist yet.
  bool pending = false;

  friend bool operator==(const LogStart&, const LogStart&) = default;
};

// Durable and atomic on return. Blocking.
absl::Status WriteLogStart(env::FileSystem& fs, const std::string& directory,
                           const LogStart& start);

// Errors: NOT_FOUND; DATA_LOSS, naming the file, when both copies in it are damaged.
absl::StatusOr<LogStart> ReadLogStart(env::FileSystem& fs, const std::string& directory);

}  // namespace cairn::log
