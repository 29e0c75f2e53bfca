// Registry: where a scrape finds its values.
//
// Whoever has something to show adds a source, which reads instruments, or state that is there
// anyway, when a scrape comes; nothing is copied between scrapes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "telemetry/samples.h"

namespace cairn::telemetry {

// Filled by one thread, then used by one thread.
class Registry {
 public:
  // Adds what it knows. May block for a moment, for the thread that owns the state.
  using Source = std::function<void(Samples& samples)>;

  // A scrape has the metrics of this many partitions at most.
  explicit Registry(size_t max_partitions) : max_partitions_(max_partitions) {}

  void AddSource(Source source) { sources_.push_back(std::move(source)); }

  // Asks every source.
  Samples Collect();

 private:
  const size_t max_partitions_;
  std::vector<Source> sources_;
  uint64_t left_out_ = 0;  // partitions, of all scrapes
};

}  // namespace cairn::telemetry
