// A small ordered map on disk whose changes are atomic and durable: what a node must not forget
// about its Raft groups.
//
// Two implementations: LMDB (lmdb_store.h) and one in memory that outlives simulated crashes
// (sim_key_value_store.h).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cairn::env {

// Keys are 1 to this many bytes (LMDB's own limit is 511).
inline constexpr size_t kMaxKeyBytes = 256;

// Thread-safe. Blocking.
class KeyValueStore {
 public:
  struct Change {
    std::string key;
    std::optional<std::string> value;  // nullopt removes the key, if it is there
  };

  virtual ~KeyValueStore() = default;

  // Makes all changes, in order, or none. Durable on return. After an error nothing is known of the
  // changes: open the store again. Errors: RESOURCE_EXHAUSTED when the disk or the map is full;
  // INTERNAL.
  virtual absl::Status Apply(std::span<const Change> changes) = 0;

  // Calls `visit` for every pair whose key begins with `prefix`, in the order of the keys. The
  // views are valid during the call. Errors: INTERNAL.
  virtual absl::Status ForEach(
      std::string_view prefix,
      absl::FunctionRef<void(std::string_view key, std::string_view value)> visit) const = 0;
};

}  // namespace cairn::env
