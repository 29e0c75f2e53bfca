// What all partitions of a node count together. Every field may be used by any thread.
#pragma once

#include <atomic>
#include <cstdint>

namespace cairn::broker {

struct NodeCounters {
  std::atomic<uint64_t> inflight_bytes{0};  // of produce requests accepted and not answered
  std::atomic<uint64_t> records_appended{0};
  std::atomic<uint64_t> bytes_appended{0};
  std::atomic<bool> disk_full{false};  // the last write that met the disk found no space
};

}  // namespace cairn::broker
