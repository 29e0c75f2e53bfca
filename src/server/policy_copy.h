// The cluster's policy as a node keeps it on disk, so that a restart does not fall back to an older
// one before it has heard from the cluster. Blocking.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cluster/metadata.h"
#include "env/file_system.h"

namespace cairn::server {

// nullopt when there is no file. Errors: DATA_LOSS when it is damaged; those of FileSystem.
absl::StatusOr<std::optional<cluster::AccessPolicy>> ReadPolicyCopy(env::FileSystem& fs,
                                                                    const std::string& path);
// Durable on return.
absl::Status WritePolicyCopy(env::FileSystem& fs, const std::string& path,
                             const cluster::AccessPolicy& policy);

}  // namespace cairn::server
