#include "sim/world.h"

#include <cinttypes>
#include <cstdio>

namespace cairn::sim {

void World::Note(std::string_view event) {
  trace_hash_ = Mix(trace_hash_, static_cast<uint64_t>(clock.MonotonicNs()));
  trace_hash_ = Mix(trace_hash_, HashBytes(event));
  if (!verbose_) return;
  std::fprintf(stderr, "%10.3f %.*s\n", static_cast<double>(clock.MonotonicNs()) / 1e9,
               static_cast<int>(event.size()), event.data());
}

}  // namespace cairn::sim
