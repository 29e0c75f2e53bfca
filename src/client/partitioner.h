// Which partition a record goes to.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace cairn::client {

// MurmurHash2, 32 bits, with Kafka's seed: a topic written by Kafka's default partitioner and by
// this one keeps each key in one partition. After Austin Appleby's public-domain description.
inline uint32_t Murmur2(std::string_view key) {
  constexpr uint32_t kSeed = 0x9747b28c;
  constexpr uint32_t kMultiplier = 0x5bd1e995;
  uint32_t hash = kSeed ^ static_cast<uint32_t>(key.size());
  while (key.size() >= 4) {
    auto word = base::LoadLittleEndian<uint32_t>(key.data());
    word *= kMultiplier;
    word ^= word >> 24;
    hash = (hash * kMultiplier) ^ (word * kMultiplier);
    key.remove_prefix(4);
  }
  if (!key.empty()) {
    for (size_t i = key.size(); i-- > 0;) {
      hash ^= static_cast<uint32_t>(static_cast<unsigned char>(key[i])) << (8 * i);
    }
    hash *= kMultiplier;
  }
  hash ^= hash >> 13;
  hash *= kMultiplier;
  hash ^= hash >> 15;
  return hash;
}

inline int32_t PartitionForKey(std::string_view key, int32_t partition_count) {
  return static_cast<int32_t>((Murmur2(key) & 0x7fffffff) % static_cast<uint32_t>(partition_count));
}

}  // namespace cairn::client
