// Checks store files: every header, every body, every record, and that nothing is missing between
// them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "apps/stored_log.h"

namespace cairn::apps {

struct Finding {
  std::string file;
  uint64_t position = 0;
  uint64_t offset = 0;  // of the first record concerned
  std::string what;     // with expected and found
};

struct VerifyResult {
  uint64_t files = 0;
  uint64_t bytes = 0;
  uint64_t entries = 0;
  uint64_t records = 0;
  std::vector<Finding> findings;
  // Tails that were never acknowledged; the next start cuts them.
  std::vector<Finding> torn_tails;
};

// Adds what it finds in `stored` to `result`. Errors: only of the file system.
absl::Status VerifyLog(env::FileSystem& fs, const StoredLog& stored, VerifyResult& result);

}  // namespace cairn::apps
