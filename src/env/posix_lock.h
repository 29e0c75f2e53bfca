// The lock file of a data directory. Internal to env.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "env/file_system.h"

namespace cairn::env {

// See FileSystem::Lock. The lock belongs to the open file (fcntl F_OFD_SETLK), not to the file's
// content: a file left behind by a killed process is free. The content is the process id of the
// last holder.
absl::StatusOr<std::unique_ptr<FileLock>> LockPosixFile(const std::string& path);

}  // namespace cairn::env
