// What gossip keeps on disk: the keyring in Serf's own format, and the snapshot. Blocking.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "env/file_system.h"
#include "gossip/serf/snapshot.h"

namespace cairn::cluster {

// A JSON array of base64 keys, the primary first: as `serf agent -keyring-file` reads and writes
// it. nullopt when there is no file. Errors, which name the file and never show a key:
// INVALID_ARGUMENT for what is no such array or holds none or too many keys; those of FileSystem.
absl::StatusOr<std::optional<std::vector<std::string>>> ReadKeyring(env::FileSystem& fs,
                                                                    const std::string& path);
// Durable on return; for the owner's eyes only (mode 0600).
absl::Status WriteKeyring(env::FileSystem& fs, const std::string& path,
                          const std::vector<std::string>& keys);

// nullopt when there is no file. Errors: DATA_LOSS when it is damaged.
absl::StatusOr<std::optional<gossip::SerfSnapshot>> ReadGossipSnapshot(env::FileSystem& fs,
                                                                       const std::string& path);
// Durable on return, with a checksum.
absl::Status WriteGossipSnapshot(env::FileSystem& fs, const std::string& path,
                                 const std::string& encoded);

}  // namespace cairn::cluster
