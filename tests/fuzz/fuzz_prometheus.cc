// Metrics as any node may tell them to our own commands: they are read or refused with the line,
// and a histogram that is read ascends.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "telemetry/prometheus_parser.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using cairn::telemetry::ParsedMetrics;
  const auto metrics = ParsedMetrics::Parse({reinterpret_cast<const char*>(data), size});
  if (!metrics.ok()) {
    CAIRN_CHECK(metrics.status().message().find("line ") == 0, "an error names the line");
    return 0;
  }
  const auto histogram = metrics->Histogram("h");
  if (!histogram) return 0;
  double before = 0;
  for (const auto& [bound, count] : histogram->buckets) {
    CAIRN_CHECK(&count == &histogram->buckets.front().second || count >= before, "counts ascend");
    before = count;
  }
  return 0;
}
