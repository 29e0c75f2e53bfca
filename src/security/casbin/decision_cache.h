// Decisions that were made before, for requests of texts. Bounded: each place holds one, the newer
// replaces the older. Thread-safe; the lock of a shard is held for one comparison.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "security/casbin/request.h"

namespace cairn::security::casbin {

class DecisionCache {
 public:
  // Longer requests are decided each time.
  static constexpr size_t kMaxKeyBytes = 104;

  // A context and a request as one text. Lives on the stack of the call.
  struct Key {
    uint64_t hash = 0;
    uint32_t size = 0;  // 0: not to be cached
    std::array<char, kMaxKeyBytes> bytes;

    std::string_view view() const { return {bytes.data(), size}; }
  };
  struct Entry {
    bool allowed = false;
    int rule = 0;
  };

  // Room for about `entries` decisions, 128 bytes each; 0 for none.
  explicit DecisionCache(size_t entries);

  static void MakeKey(const Context& context, std::span<const RequestValue> request, Key& key);
  bool enabled() const { return places_per_shard_ != 0; }
  std::optional<Entry> Find(const Key& key);
  void Put(const Key& key, Entry entry);

 private:
  static constexpr size_t kShards =
      16;  // more than the threads that decide at once on most machines

  struct Place {
    Key key;
    Entry entry;
  };
  struct alignas(64) Shard {
    base::Mutex mutex;
    std::vector<Place> places CAIRN_GUARDED_BY(mutex);
  };

  size_t PlaceOf(uint64_t hash) const { return (hash / kShards) % places_per_shard_; }

  size_t places_per_shard_;
  std::array<Shard, kShards> shards_;
};

}  // namespace cairn::security::casbin
