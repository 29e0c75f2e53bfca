// A node whose collector is down, silent or mad: it serves, counts what was lost, and stops in
// time. What arrives at a collector that is well is in tests/interop/otlp_test.js.
#include <chrono>
#include <string>

#include "base/strings.h"
#include "env/raw_client.h"
#include "otel/collector_testing.h"
#include "otel/export_counters.h"
#include "server/scrape_testing.h"
#include "server/server_fixture.h"

namespace cairn::server {
namespace {

using otel::TestCollector;
using testing::HasSubstr;

class TracingTest : public ServerFixture {
 protected:
  void SetUp() override {}  // each test starts its own

  ServerConfig Config() override {
    ServerConfig config = ServerFixture::Config();
    config.otel = settings_;
    config.otel_variables = variables_;
    config.otel_variables["OTEL_BSP_SCHEDULE_DELAY"] = "10";
    config.otel_variables["OTEL_METRIC_EXPORT_INTERVAL"] = "50";
    config.otel_variables["OTEL_EXPORTER_OTLP_TIMEOUT"] = "1500";
    return config;
  }

  double Now(const std::string& series) {
    env::RawClient client(server_->address());
    client.Send("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    return Scrape(client.ReceiveAll())[series];
  }

  void ExpectServesAndStops(const std::string& url, otel::Protocol protocol) {
    SCOPED_TRACE(url + " " + std::string(ToString(protocol)));
    settings_ = {.endpoint = url, .protocol = protocol};
    StartServer();
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(ProduceValue("x").ok());
    EXPECT_TRUE(Await([&] {
      return Now("cairn_trace_spans_total{outcome=\"failed\"}") > 0 &&
             Now("cairn_metric_pushes_total{outcome=\"failed\"}") > 0;
    }));
    EXPECT_EQ(Now("cairn_trace_spans_total{outcome=\"exported\"}"), 0);
    EXPECT_EQ(Now("cairn_metric_pushes_total{outcome=\"exported\"}"), 0);
    ASSERT_TRUE(ProduceValue("x").ok());
    const auto begin = std::chrono::steady_clock::now();
    server_->Stop();
    EXPECT_LT(std::chrono::steady_clock::now() - begin,
              std::chrono::milliseconds(2 * otel::kStopMs + 2000));
    server_.reset();
  }

  otel::Settings settings_;
  otel::Variables variables_;
};

TEST_F(TracingTest, ServesAndStopsInTimeWhateverTheCollectorDoes) {
  TestCollector silent(TestCollector::Behaviour::kSilent);
  TestCollector garbage(TestCollector::Behaviour::kGarbage);
  for (const otel::Protocol protocol : {otel::Protocol::kHttpProtobuf, otel::Protocol::kGrpc}) {
    ExpectServesAndStops(TestCollector::UrlOfNobody(), protocol);
    ExpectServesAndStops(silent.url(), protocol);
    ExpectServesAndStops(garbage.url(), protocol);
  }
}

TEST_F(TracingTest, WithoutACollectorNothingIsTracedAndNothingCounted) {
  StartServer();
  ASSERT_TRUE(ProduceValue("x").ok());
  for (const char* outcome : {"exported", "failed", "dropped"}) {
    EXPECT_EQ(Now(base::StrCat("cairn_trace_spans_total{outcome=\"", outcome, "\"}")), 0);
  }
}

TEST_F(TracingTest, SaysWhatItIgnoresOfTheVariables) {
  variables_["OTEL_TRACES_SAMPLER"] = "jaeger_remote";
  StartServer();
  EXPECT_THAT(log_lines_.str(), HasSubstr("OTEL_TRACES_SAMPLER is ignored"));
  EXPECT_TRUE(ProduceValue("x").ok());
}

}  // namespace
}  // namespace cairn::server
