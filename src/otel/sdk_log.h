// What the SDK of OpenTelemetry has to say about its work, such as why an export failed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace cairn::otel {

// A collector that is down is told about with each export: one line is handed on in this time, with
// how many were not.
inline constexpr int64_t kLogIntervalNs = 10'000'000'000;

// Hands warnings and errors of the SDK to `sink`, of the whole process; nullptr: to nobody. Returns
// when the sink before is used no more. `suppressed`: lines since the last that were left out.
// Thread-safe; the sink is called on any thread, one call at a time.
using LogSink = std::function<void(const std::string& message, uint64_t suppressed)>;
void SetSdkLogSink(LogSink sink);

// Whether the SDK has told of an error on this thread since the watch was made. Its exporters by
// HTTP (1.19) do that where they should return it, and then return success.
class SdkErrorWatch {
 public:
  SdkErrorWatch();
  bool seen() const;
};

}  // namespace cairn::otel
