// What a trace costs whoever does the work: the decision, which every RPC asks for, and a span.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "env/clock.h"
#include "env/posix.h"
#include "otel/collector_testing.h"
#include "otel/options.h"
#include "otel/otlp_tracer.h"

namespace cairn::otel {
namespace {

std::unique_ptr<OtlpTracer> NewTracer(const std::string& url, const char* sampler) {
  std::vector<std::string> warnings;
  Options options =
      Resolve({.endpoint = url, .sampling = *ParseSampling(sampler)}, {}, {}, warnings);
  options.max_queued_spans = 1 << 20;
  return std::make_unique<OtlpTracer>(options, env::SystemClock(),
                                      std::make_shared<ExportCounters>());
}

void BM_Begin(benchmark::State& state, const char* sampler, bool has_caller) {
  const auto tracer = NewTracer(TestCollector::UrlOfNobody(), sampler);
  base::TraceContext caller;
  if (has_caller) {
    caller.trace_id.fill(0xee);
    caller.span_id.fill(1);
  }
  for (auto _ : state) benchmark::DoNotOptimize(tracer->Begin(caller));
}
BENCHMARK_CAPTURE(BM_Begin, nobody_ratio, "parent:ratio:1e-9", false);
BENCHMARK_CAPTURE(BM_Begin, unsampled_caller, "parent:always", true);
BENCHMARK_CAPTURE(BM_Begin, sampled, "always", false);

void BM_End(benchmark::State& state) {
  TestCollector collector(TestCollector::Behaviour::kTakes);
  const auto tracer = NewTracer(collector.url(), "always");
  for (auto _ : state) {
    telemetry::Span span;
    span.name = "log.v1.Log/Produce";
    span.context = tracer->Begin({});
    span.end_ns = 1000;
    span.attributes = {{"rpc.system", std::string("grpc")},
                       {"rpc.service", std::string("log.v1.Log")},
                       {"rpc.method", std::string("Produce")},
                       {"messaging.destination.name", std::string("orders")},
                       {"rpc.grpc.status_code", int64_t{0}}};
    tracer->End(std::move(span));
  }
}
BENCHMARK(BM_End);

}  // namespace
}  // namespace cairn::otel

BENCHMARK_MAIN();
