// ArchiveWriter: a new .tar.gz file, of texts that are in memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cairn::apps {

// Thread-compatible. Blocking.
class ArchiveWriter {
 public:
  enum class Existing { kKeep, kReplace };

  // Makes the file, for its owner's eyes only (mode 0600). Errors: ALREADY_EXISTS when there is one
  // that is to be kept; of the file system.
  static absl::StatusOr<std::unique_ptr<ArchiveWriter>> Create(const std::string& file,
                                                               Existing existing);
  // Takes away what was not finished.
  ~ArchiveWriter();

  // `name` is a relative path in the archive, `time_s` is since the Unix epoch. Errors: of the file
  // system, of the library.
  absl::Status Add(const std::string& name, std::string_view contents, int64_t time_s);
  // The file is whole.
  absl::Status Finish();

 private:
  class Impl;
  explicit ArchiveWriter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cairn::apps
