// KeyValueStore on LMDB (package liblmdb-dev), a B+tree with copy-on-write pages: the design that
// Bolt, the ancestor's stable store, was modelled on.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "env/key_value_store.h"

namespace cairn::env {

// The map never grows beyond this; address space, not disk. A Raft group takes about 200 bytes.
inline constexpr uint64_t kLmdbMapBytes = uint64_t{1} << 30;

// Opens or creates the store in `directory`, which exists. The caller keeps other processes out.
// Errors: DATA_LOSS for a file that is no LMDB store; those of the file system.
absl::StatusOr<std::unique_ptr<KeyValueStore>> OpenLmdbStore(const std::string& directory);

}  // namespace cairn::env
