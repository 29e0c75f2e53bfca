// What the machines of one simulation share: time, chance, the network, and the record of what
// happened.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/strings.h"
#include "env/sim_clock.h"
#include "env/sim_executor.h"
#include "env/sim_network.h"
#include "env/sim_random.h"
#include "telemetry/tracer.h"

namespace cairn::sim {

inline constexpr int64_t kMs = 1'000'000;  // in ns
inline constexpr int64_t kSecond = 1000 * kMs;

// Mixes `value` into a hash (the finaliser of SplitMix64).
inline uint64_t Mix(uint64_t hash, uint64_t value) {
  uint64_t z = hash ^ (value + 0x9e3779b97f4a7c15 + (hash << 6) + (hash >> 2));
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  return z ^ (z >> 27);
}
// In the manner of FNV-1a, but by words: every entry of every replica goes through it.
inline uint64_t HashBytes(std::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325 ^ bytes.size();
  while (!bytes.empty()) {
    uint64_t word = 0;
    const size_t size = std::min(bytes.size(), sizeof(word));
    std::memcpy(&word, bytes.data(), size);
    bytes.remove_prefix(size);
    hash = (hash ^ word) * 0x9e3779b97f4a7c15;
    hash ^= hash >> 32;
  }
  return hash;
}

class World {
 public:
  World(uint64_t seed, bool verbose)
      : dice(seed),
        network_dice(Mix(seed, 1)),
        network(clock, fabric, network_dice),
        verbose_(verbose) {}

  int64_t now_ms() const { return clock.MonotonicNs() / kMs; }
  bool Chance(uint64_t permille) { return dice.Below(1000) < permille; }
  int64_t Between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(dice.Below(static_cast<uint64_t>(high - low + 1)));
  }
  // Calls `what` in `ms` of simulated time.
  template <typename What>
  void After(int64_t ms, What what) {
    fabric.PostAfter(ms * kMs, std::move(what));
  }

  // An event of note: part of the trace, and with `verbose` on stderr.
  void Note(std::string_view event);
  uint64_t trace_hash() const { return trace_hash_; }

  // What must not be has happened. The first one counts.
  void Find(const std::string& what) {
    if (!finding_.empty()) return;
    finding_ = base::StrCat("at ", now_ms(), " ms: ", what);
    Note(base::StrCat("FINDING ", what));
  }
  const std::string& finding() const { return finding_; }
  bool failed() const { return !finding_.empty(); }

  env::SimClock clock;
  env::SimExecutor fabric{clock};
  env::SimRandom dice;
  env::SimRandom network_dice;
  env::SimNetwork network;
  telemetry::Tracer* tracer = nullptr;  // of all machines; null: they do not trace

 private:
  const bool verbose_;
  uint64_t trace_hash_ = 0;
  std::string finding_;
};

}  // namespace cairn::sim
