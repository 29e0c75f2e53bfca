// What is traced; and that a collector that is down, silent or mad costs spans, never time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "env/clock.h"
#include "env/posix.h"
#include "otel/collector_testing.h"
#include "otel/metric_pusher.h"
#include "otel/options.h"
#include "otel/otlp_tracer.h"
#include "otel/sdk_log.h"

namespace cairn::otel {
namespace {

using base::TraceContext;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using Behaviour = TestCollector::Behaviour;

// Until `condition` holds, at most a minute.
template <typename Condition>
[[nodiscard]] bool Await(Condition condition) {
  const auto deadline = steady_clock::now() + std::chrono::minutes(1);
  while (!condition()) {
    if (steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(milliseconds(1));
  }
  return true;
}

class OtlpTest : public testing::TestWithParam<Protocol> {
 protected:
  Options OptionsFor(const std::string& url) {
    std::vector<std::string> warnings;
    Options options = Resolve({.endpoint = url, .protocol = GetParam()}, {},
                              {.node_name = "n", .version = "0"}, warnings);
    options.schedule_delay_ms = 10;
    options.metric_interval_ms = 10;
    options.traces.timeout_ms = options.metrics.timeout_ms = kStopMs + 300;
    return options;
  }

  std::unique_ptr<OtlpTracer> NewTracer(const Options& options) {
    return std::make_unique<OtlpTracer>(options, env::SystemClock(), counters_);
  }

  static telemetry::Span SpanOf(OtlpTracer& tracer) {
    telemetry::Span span;
    span.name = "span";
    span.context = tracer.Begin({});
    span.start_ns = span.end_ns = env::SystemClock().MonotonicNs();
    span.status = absl::InternalError(std::string(10'000, 'x'));
    span.attributes = {{"text", std::string(10'000, 'y')}, {"number", int64_t{1}}};
    return span;
  }

  template <typename Exporter>
  static void ExpectQuickStop(Exporter& exporter) {
    const auto begin = steady_clock::now();
    exporter.Stop();
    EXPECT_LT(steady_clock::now() - begin, milliseconds(kStopMs + 1000));
  }

  // A source of samples with a thread of its own.
  MetricPusher::Collect Source() {
    return [this](MetricPusher::Done done) {
      ++asked_;
      std::thread([done = std::move(done)]() mutable {
        telemetry::Samples samples(0);
        samples.Add(telemetry::Metric::kReady, 1.0);
        samples.Add(telemetry::Metric::kFsyncDuration,
                    telemetry::Histogram(telemetry::Metric::kFsyncDuration));
        for (int i = 0; i < 5000; ++i) {  // more than one request holds
          samples.Add(telemetry::Metric::kRpcRequests, uint64_t{1}, {std::to_string(i), "OK"});
        }
        done(std::move(samples));
      }).detach();
    };
  }

  const std::shared_ptr<ExportCounters> counters_ = std::make_shared<ExportCounters>();
  std::atomic<int> asked_{0};
};

INSTANTIATE_TEST_SUITE_P(Protocols, OtlpTest,
                         testing::Values(Protocol::kHttpProtobuf, Protocol::kGrpc),
                         [](const auto& param) {
                           return param.param == Protocol::kGrpc ? "Grpc" : "Http";
                         });

TEST_P(OtlpTest, ACollectorThatIsDownCostsSpansAndIsCounted) {
  const auto tracer = NewTracer(OptionsFor(TestCollector::UrlOfNobody()));
  for (int i = 0; i < 10; ++i) tracer->End(SpanOf(*tracer));
  EXPECT_TRUE(Await([&] { return counters_->spans_failed.value() == 10; }))
      << counters_->spans_failed.value();
  ExpectQuickStop(*tracer);
  EXPECT_EQ(counters_->spans_exported.value(), 0);
  EXPECT_EQ(counters_->spans_dropped.value(), 0);
}

TEST_P(OtlpTest, ACollectorThatIsSilentKeepsNobodyWaiting) {
  TestCollector collector(Behaviour::kSilent);
  Options options = OptionsFor(collector.url());
  options.max_queued_spans = options.max_batch_spans = 100;
  const auto tracer = NewTracer(options);
  tracer->End(SpanOf(*tracer));
  EXPECT_TRUE(Await([&] { return collector.connections() > 0; }));
  const auto begin = steady_clock::now();
  for (int i = 0; i < 1000; ++i) tracer->End(SpanOf(*tracer));
  EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(1));
  EXPECT_GE(counters_->spans_dropped.value(), 901);  // the queue counts what is on its way
  ExpectQuickStop(*tracer);
  tracer->End(SpanOf(*tracer));
  EXPECT_EQ(counters_->spans_exported.value(), 0);
  // The export that was left behind ends by itself.
  EXPECT_TRUE(Await([&] { return counters_->spans_failed.value() == 100; }));
}

TEST_P(OtlpTest, ACollectorThatAnswersGarbageIsAFailure) {
  TestCollector collector(Behaviour::kGarbage);
  const auto tracer = NewTracer(OptionsFor(collector.url()));
  tracer->End(SpanOf(*tracer));
  EXPECT_TRUE(Await([&] { return counters_->spans_failed.value() == 1; }));
  ExpectQuickStop(*tracer);
  EXPECT_EQ(counters_->spans_exported.value(), 0);
}

TEST_P(OtlpTest, MetricsThatNobodyTakesAreCountedAndKeepNobodyWaiting) {
  {
    MetricPusher pusher(OptionsFor(TestCollector::UrlOfNobody()), Source(), counters_);
    EXPECT_TRUE(Await([&] { return counters_->pushes_failed.value() >= 1; }));
    ExpectQuickStop(pusher);
  }
  TestCollector silent(Behaviour::kSilent);
  MetricPusher pusher(OptionsFor(silent.url()), Source(), counters_);
  EXPECT_TRUE(Await([&] { return silent.connections() > 0; }));
  ExpectQuickStop(pusher);
  const int asked = asked_;
  const uint64_t failed = counters_->pushes_failed.value();
  // The push that was left behind ends by itself, and asks for nothing more.
  EXPECT_TRUE(Await([&] { return counters_->pushes_failed.value() > failed; }));
  EXPECT_EQ(asked_, asked);
  EXPECT_EQ(counters_->pushes_exported.value(), 0);
}

class HttpTest : public OtlpTest {};
INSTANTIATE_TEST_SUITE_P(Protocols, HttpTest, testing::Values(Protocol::kHttpProtobuf));

TEST_P(HttpTest, WhatIsTakenIsCountedAndAStopSendsTheRest) {
  TestCollector collector(Behaviour::kTakes);
  Options options = OptionsFor(collector.url());
  options.schedule_delay_ms = 3'600'000;
  const auto tracer = NewTracer(options);
  for (int i = 0; i < 10; ++i) tracer->End(SpanOf(*tracer));
  tracer->Stop();
  EXPECT_EQ(counters_->spans_exported.value(), 10);
  EXPECT_EQ(collector.requests(), 1);
  tracer->End(SpanOf(*tracer));
  EXPECT_EQ(counters_->spans_dropped.value(), 1);
}

TEST_P(HttpTest, MetricsComeInRequestsOfBoundedSizeAndAStopSendsTheLast) {
  TestCollector collector(Behaviour::kTakes);
  Options options = OptionsFor(collector.url());
  options.metric_interval_ms = 3'600'000;
  MetricPusher pusher(options, Source(), counters_);
  pusher.Stop();
  EXPECT_EQ(counters_->pushes_exported.value(), 1);
  EXPECT_EQ(collector.requests(), 2);
  EXPECT_EQ(asked_, 1);
}

TEST_P(HttpTest, WhoNeverAnswersForMetricsKeepsNoStopWaiting) {
  TestCollector collector(Behaviour::kTakes);
  std::mutex mutex;
  std::vector<MetricPusher::Done> kept;
  MetricPusher pusher(
      OptionsFor(collector.url()),
      [&](MetricPusher::Done done) {
        ++asked_;
        std::lock_guard<std::mutex> lock(mutex);
        kept.push_back(std::move(done));
      },
      counters_);
  EXPECT_TRUE(Await([&] { return asked_ > 0; }));
  ExpectQuickStop(pusher);
  EXPECT_EQ(collector.requests(), 0);
}

// What the SDK says reaches the log, at a bounded rate.
TEST_P(HttpTest, FailuresAreToldOnceInAWhile) {
  std::mutex mutex;
  std::vector<std::string> lines;
  SetSdkLogSink([&](const std::string& message, uint64_t) {
    std::lock_guard<std::mutex> lock(mutex);
    lines.push_back(message);
  });
  const auto tracer = NewTracer(OptionsFor(TestCollector::UrlOfNobody()));
  for (uint64_t i = 1; i <= 3; ++i) {
    tracer->End(SpanOf(*tracer));
    EXPECT_TRUE(Await([&] { return counters_->spans_failed.value() == i; }));
  }
  tracer->Stop();
  SetSdkLogSink(nullptr);
  EXPECT_EQ(lines.size(), 1);
}

class SamplerTest : public HttpTest {
 protected:
  std::unique_ptr<OtlpTracer> With(const char* sampler) {
    Options options = OptionsFor(TestCollector::UrlOfNobody());
    options.sampling = *ParseSampling(sampler);
    return NewTracer(options);
  }
  static TraceContext Caller(bool sampled) {
    TraceContext caller;
    caller.trace_id.fill(7);
    caller.span_id.fill(8);
    caller.sampled = sampled;
    return caller;
  }
};
INSTANTIATE_TEST_SUITE_P(Protocols, SamplerTest, testing::Values(Protocol::kHttpProtobuf));

TEST_P(SamplerTest, DecidesByItselfOrFollowsTheCaller) {
  struct Case {
    const char* sampler;
    bool root, sampled_caller, unsampled_caller;
  };
  for (const Case& one :
       {Case{"always", true, true, true}, Case{"never", false, false, false},
        Case{"ratio:1", true, true, true}, Case{"parent:always", true, true, false},
        Case{"parent:never", false, true, false}, Case{"parent:ratio:1e-9", false, true, false}}) {
    SCOPED_TRACE(one.sampler);
    const auto tracer = With(one.sampler);
    EXPECT_EQ(tracer->Begin({}).sampled, one.root);
    EXPECT_EQ(tracer->Begin({}).valid(), one.root);
    for (const bool sampled : {false, true}) {
      const TraceContext began = tracer->Begin(Caller(sampled));
      EXPECT_EQ(began.sampled, sampled ? one.sampled_caller : one.unsampled_caller);
      EXPECT_EQ(began.trace_id, Caller(sampled).trace_id);
      EXPECT_EQ(began.span_id != Caller(sampled).span_id, began.sampled);
    }
  }
}

TEST_P(SamplerTest, ARatioOfTracesIsSampledAndItsIdDecides) {
  const auto tracer = With("ratio:0.25");
  const auto other = With("ratio:0.25");
  int sampled = 0;
  TraceContext caller = Caller(false);
  for (int i = 0; i < 4000; ++i) {
    sampled += tracer->Begin({}).sampled ? 1 : 0;
    for (size_t at = 0; at < 8; ++at) {
      caller.trace_id[at] =
          static_cast<uint8_t>(caller.trace_id[at] * 31 + static_cast<int>(at) + i);
    }
    EXPECT_EQ(tracer->Begin(caller).sampled, other->Begin(caller).sampled);
  }
  EXPECT_NEAR(sampled, 1000, 200);
}

TEST_P(SamplerTest, IdsAreTheirOwn) {
  const auto tracer = With("always");
  const TraceContext parent = tracer->Begin({});
  std::set<base::SpanId> ids = {parent.span_id};
  std::set<base::TraceId> traces;
  for (int i = 0; i < 1000; ++i) {
    const TraceContext child = tracer->ChildOf(parent);
    EXPECT_EQ(child.trace_id, parent.trace_id);
    EXPECT_TRUE(child.sampled);
    EXPECT_TRUE(ids.insert(child.span_id).second);
    EXPECT_TRUE(traces.insert(tracer->Begin({}).trace_id).second);
  }
}

}  // namespace
}  // namespace cairn::otel
