// The store files of a data directory, found and opened without a server, read-only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "env/file_system.h"
#include "log/log_start.h"
#include "log/store_header.h"
#include "log/store_scanner.h"

namespace cairn::apps {

struct StoredSegment {
  std::string path;
  Offset base_offset;
};

// One partition's directory, or a single file of it.
struct StoredLog {
  std::string directory;
  std::vector<StoredSegment> segments;  // by base offset
  bool whole = true;                    // false when one file was asked for
};

// The logs below `path`: a data directory, a topic's or a partition's directory, or a store file.
// Errors: NOT_FOUND when there is none; FAILED_PRECONDITION when a server uses the data directory.
absl::StatusOr<std::vector<StoredLog>> FindStoredLogs(env::FileSystem& fs, const std::string& path);

// A store file, open, with its header.
struct OpenStore {
  std::unique_ptr<env::File> file;
  uint64_t size_bytes = 0;
  log::StoreHeader header;
};
absl::StatusOr<OpenStore> OpenStoreFile(env::FileSystem& fs, const std::string& path);

// The body of the intact entry that `step` describes. Errors: those of the file.
absl::StatusOr<std::string> ReadBody(const env::File& file, const log::StoreScanner::Step& step);

}  // namespace cairn::apps
