// What is exported where, by settings and variables; and that what is wrong is told.
#include "otel/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/strings.h"

namespace cairn::otel {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class OptionsTest : public testing::Test {
 protected:
  Options Get(const Settings& settings = {}) {
    warnings_.clear();
    return Resolve(settings, variables_, {.node_name = "n1", .version = "1.2"}, warnings_);
  }

  Variables variables_;
  std::vector<std::string> warnings_;
};

TEST_F(OptionsTest, NothingIsExportedUntilSomebodySaysWhereTo) {
  const Options options = Get();
  EXPECT_EQ(options.traces.url, "");
  EXPECT_EQ(options.metrics.url, "");
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(OptionsTest, OurEndpointIsThatOfBothSignals) {
  Options options = Get({.endpoint = "http://c:4318"});
  EXPECT_EQ(options.traces.url, "http://c:4318/v1/traces");
  EXPECT_EQ(options.metrics.url, "http://c:4318/v1/metrics");
  EXPECT_EQ(options.traces.protocol, Protocol::kHttpProtobuf);
  options = Get({.endpoint = "http://c:4317", .protocol = Protocol::kGrpc});
  EXPECT_EQ(options.traces.url, "http://c:4317");
  EXPECT_EQ(options.metrics.protocol, Protocol::kGrpc);
}

TEST_F(OptionsTest, VariablesNameEndpointsForAllOrForOneSignal) {
  variables_["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://c:4318/x/";
  variables_["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"] = "https://m/as/it/is";
  const Options options = Get();
  EXPECT_EQ(options.traces.url, "http://c:4318/x/v1/traces");
  EXPECT_EQ(options.metrics.url, "https://m/as/it/is");
}

TEST_F(OptionsTest, OurSettingsCountMoreThanVariables) {
  variables_["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = "http://other:1";
  variables_["OTEL_EXPORTER_OTLP_PROTOCOL"] = "grpc";
  variables_["OTEL_TRACES_SAMPLER"] = "always_off";
  const Options options = Get({.endpoint = "http://c:4318",
                               .protocol = Protocol::kHttpProtobuf,
                               .sampling = Sampling{.parent = false, .ratio = 0.5}});
  EXPECT_EQ(options.traces.url, "http://c:4318/v1/traces");
  EXPECT_EQ(options.sampling, (Sampling{.parent = false, .ratio = 0.5}));
}

TEST_F(OptionsTest, GrpcTakesAnAddressWithoutAScheme) {
  variables_["OTEL_EXPORTER_OTLP_PROTOCOL"] = "grpc";
  variables_["OTEL_EXPORTER_OTLP_ENDPOINT"] = "c:4317";
  variables_["OTEL_EXPORTER_OTLP_METRICS_INSECURE"] = "true";
  const Options options = Get();
  EXPECT_EQ(options.traces.url, "https://c:4317");
  EXPECT_EQ(options.metrics.url, "http://c:4317");
}

TEST_F(OptionsTest, ExportersAreSwitchedOnAndOff) {
  variables_["OTEL_TRACES_EXPORTER"] = "otlp";
  EXPECT_EQ(Get().traces.url, "http://localhost:4318/v1/traces");
  EXPECT_EQ(Get().metrics.url, "");
  variables_["OTEL_TRACES_EXPORTER"] = "none";
  EXPECT_EQ(Get({.endpoint = "http://c:4318"}).traces.url, "");
  EXPECT_EQ(Get({.endpoint = "http://c:4318"}).metrics.url, "http://c:4318/v1/metrics");
  variables_["OTEL_SDK_DISABLED"] = "TRUE";
  EXPECT_EQ(Get({.endpoint = "http://c:4318"}).metrics.url, "");
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(OptionsTest, KnowsTheSamplersOfTheSpecification) {
  EXPECT_EQ(Get().sampling, (Sampling{.parent = true, .ratio = 1}));
  const auto sampling = [&](const char* name) {
    variables_["OTEL_TRACES_SAMPLER"] = name;
    return ToString(Get().sampling);
  };
  variables_["OTEL_TRACES_SAMPLER_ARG"] = "0.25";
  EXPECT_EQ(sampling("always_on"), "always");
  EXPECT_EQ(sampling("always_off"), "never");
  EXPECT_EQ(sampling("traceidratio"), "ratio:0.25");
  EXPECT_EQ(sampling("parentbased_always_on"), "parent:always");
  EXPECT_EQ(sampling("parentbased_always_off"), "parent:never");
  EXPECT_EQ(sampling("parentbased_traceidratio"), "parent:ratio:0.25");
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(OptionsTest, TheResourceSaysWhoSends) {
  EXPECT_THAT(Get().resource,
              ElementsAre(std::pair("service.instance.id", "n1"),
                          std::pair("service.name", "cairn"), std::pair("service.version", "1.2")));
  variables_["OTEL_RESOURCE_ATTRIBUTES"] = "service.name=a, zone = b%2Cc ,service.instance.id=7";
  Options options = Get();
  EXPECT_EQ(options.resource["service.name"], "a");
  EXPECT_EQ(options.resource["zone"], "b,c");
  EXPECT_EQ(options.resource["service.instance.id"], "7");
  variables_["OTEL_SERVICE_NAME"] = "orders-log";
  EXPECT_EQ(Get().resource["service.name"], "orders-log");
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(OptionsTest, BatchesAsTheVariablesSay) {
  variables_["OTEL_BSP_SCHEDULE_DELAY"] = "100";
  variables_["OTEL_BSP_MAX_QUEUE_SIZE"] = "64";
  variables_["OTEL_METRIC_EXPORT_INTERVAL"] = "1000";
  variables_["OTEL_EXPORTER_OTLP_TIMEOUT"] = "2000";
  variables_["OTEL_EXPORTER_OTLP_METRICS_TIMEOUT"] = "3000";
  const Options options = Get();
  EXPECT_EQ(options.traces.timeout_ms, 2000);
  EXPECT_EQ(options.metrics.timeout_ms, 3000);
  EXPECT_EQ(options.schedule_delay_ms, 100);
  EXPECT_EQ(options.max_queued_spans, 64);
  EXPECT_EQ(options.max_batch_spans, 64);
  EXPECT_EQ(options.metric_interval_ms, 1000);
}

TEST_F(OptionsTest, WhatIsNoGoodIsToldAndCountsAsNotSet) {
  const std::vector<std::pair<const char*, const char*>> bad = {
      {"OTEL_SDK_DISABLED", "perhaps"},
      {"OTEL_TRACES_SAMPLER", "xray"},
      {"OTEL_BSP_MAX_QUEUE_SIZE", "-1"},
      {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4096"},
      {"OTEL_BSP_SCHEDULE_DELAY", "soon"},
      {"OTEL_METRIC_EXPORT_INTERVAL", "0"},
      {"OTEL_EXPORTER_OTLP_TIMEOUT", "10s"},
      {"OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"},
      {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector"},
      {"OTEL_RESOURCE_ATTRIBUTES", "a=b,c"},
      {"OTEL_RESOURCE_ATTRIBUTES", "a=%zz"},
      {"OTEL_METRICS_EXPORTER", "console"}};
  const Options good = Get();
  for (const auto& [name, value] : bad) {
    SCOPED_TRACE(name);
    variables_ = {{name, value}};
    const Options options = Get();
    ASSERT_FALSE(warnings_.empty());
    EXPECT_THAT(warnings_.front(), HasSubstr(base::StrCat(name, " is ignored: ")));
    EXPECT_EQ(options.traces.url, "");
    EXPECT_EQ(options.metrics.url, "");
    EXPECT_EQ(options.sampling, good.sampling);
    EXPECT_EQ(options.max_queued_spans, good.max_queued_spans);
    EXPECT_EQ(options.max_batch_spans, good.max_batch_spans);
    EXPECT_EQ(options.schedule_delay_ms, good.schedule_delay_ms);
    EXPECT_EQ(options.metric_interval_ms, good.metric_interval_ms);
    EXPECT_EQ(options.resource, good.resource);
  }
  variables_ = {{"OTEL_TRACES_SAMPLER", "traceidratio"}, {"OTEL_TRACES_SAMPLER_ARG", "2"}};
  EXPECT_EQ(Get().sampling.ratio, 1);
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("OTEL_TRACES_SAMPLER_ARG is ignored: \"2\"")));
}

TEST_F(OptionsTest, SamplersAreReadAsTheyAreShown) {
  for (const char* text : {"always", "never", "ratio:0.01", "parent:always", "parent:never",
                           "parent:ratio:0.999999999999", "ratio:1e-09"}) {
    const auto sampling = ParseSampling(text);
    ASSERT_TRUE(sampling.ok()) << text;
    EXPECT_EQ(ToString(*sampling), text);
  }
  for (const char* text : {"", "sometimes", "ratio:", "ratio:2", "ratio:-0.1", "ratio:nan",
                           "ratio:0.1x", "parent:", "parent:parent:always", "Always"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseSampling(text).status())) << text;
  }
}

TEST_F(OptionsTest, EndpointsAreUrls) {
  for (const char* url : {"http://127.0.0.1:4318", "https://collector", "http://[::1]:1/x"}) {
    EXPECT_TRUE(CheckEndpoint(url).ok()) << url;
  }
  for (const char* url : {"", "collector:4318", "ftp://c", "http://", "http:///x", "http://:1",
                          "http://a b", "http://user:secret@c"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(CheckEndpoint(url))) << url;
  }
}

}  // namespace
}  // namespace cairn::otel
