// Plain RPCs as fast as they go, without the producer: what `cairn bench` compares the library
// with.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "cairn/client.h"
#include "client/histogram.h"

namespace cairn::client {

enum class LoadKind {
  kEmpty,   // GetServers, which does next to nothing
  kUnary,   // Produce with one record
  kStream,  // ProduceStream with one record per request
};

struct LoadOptions {
  LoadKind kind = LoadKind::kUnary;
  std::string topic = {};
  int32_t partition = 0;
  size_t record_bytes = 100;
  int in_flight = 1;      // requests that wait for their answer at a time
  uint64_t requests = 0;  // stop after so many …
  double seconds = 0;     // … or so long; 0 means no such bound, one of them is set
  const std::atomic<bool>* stop = nullptr;  // or when this becomes true
};

struct LoadResult {
  uint64_t requests = 0;
  double seconds = 0;
  Histogram latency = {};
};

// Blocking. Errors: the first failure of a request.
absl::StatusOr<LoadResult> RunLoad(const Client& client, const LoadOptions& options);

}  // namespace cairn::client
