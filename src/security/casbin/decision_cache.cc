#include "security/casbin/decision_cache.h"

#include <bit>
#include <cstring>

#include "absl/hash/hash.h"
#include "base/strings.h"

namespace cairn::security::casbin {

DecisionCache::DecisionCache(size_t entries)
    : places_per_shard_(entries == 0 ? 0 : std::bit_ceil((entries + kShards - 1) / kShards)) {
  for (Shard& shard : shards_) {
    const base::MutexLock lock(shard.mutex);
    shard.places.resize(places_per_shard_);
  }
}

void DecisionCache::MakeKey(const Context& context, std::span<const RequestValue> request,
                            Key& key) {
  key.size = 0;
  char* to = key.bytes.data();
  char* const end = to + key.bytes.size();
  for (const int part : {context.request, context.policy, context.effect, context.matcher}) {
    *to++ = static_cast<char>(part);
  }
  for (const RequestValue& value : request) {
    const size_t size = value.text.size();
    // Lengths in front, so that no two requests give the same bytes.
    if (value.object != nullptr || size >= kMaxKeyBytes ||
        end - to < static_cast<ptrdiff_t>(size + 1)) {
      return;
    }
    *to++ = static_cast<char>(size);
    if (size > 0) std::memcpy(to, value.text.data(), size);
    to += size;
  }
  key.size = static_cast<uint32_t>(to - key.bytes.data());
  key.hash = absl::Hash<absl::string_view>()(base::AbslView(key.view()));
}

std::optional<DecisionCache::Entry> DecisionCache::Find(const Key& key) {
  Shard& shard = shards_[key.hash % kShards];
  const base::MutexLock lock(shard.mutex);
  const Place& place = shard.places[PlaceOf(key.hash)];
  if (place.key.hash != key.hash || place.key.view() != key.view()) return std::nullopt;
  return place.entry;
}

void DecisionCache::Put(const Key& key, Entry entry) {
  Shard& shard = shards_[key.hash % kShards];
  const base::MutexLock lock(shard.mutex);
  Place& place = shard.places[PlaceOf(key.hash)];
  place.key.hash = key.hash;
  place.key.size = key.size;
  std::memcpy(place.key.bytes.data(), key.bytes.data(), key.size);
  place.entry = entry;
}

}  // namespace cairn::security::casbin
