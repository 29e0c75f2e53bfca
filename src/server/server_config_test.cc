#include "server/server_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "env/temporary_directory.h"

namespace cairn::server {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string Message(const absl::Status& status) {
  return std::string(base::StdView(status.message()));
}

std::string WriteFile(const env::TemporaryDirectory& directory, const std::string& text) {
  const std::string path = directory.path() + "/cairn.yaml";
  std::ofstream(path) << text;
  return path;
}

TEST(ServerConfigTest, FlagsBeatVariablesBeatFileBeatsDefaults) {
  const env::TemporaryDirectory directory;
  const std::map<std::string, std::string> variables = {{"CAIRN_NODE_NAME", "from-variable"},
                                                        {"CAIRN_RPC_PORT", "9002"}};
  ConfigSources sources;
  sources.config_file =
      WriteFile(directory, "data-dir: /from/file\nnode_name: from-file\nrpc_port: 9001\n");
  sources.environment = [&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
  sources.flags = {{"rpc-port", "9003"}};
  const auto config = LoadConfig(sources);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->bind_addr, "127.0.0.1:8401");
  EXPECT_EQ(config->data_dir, "/from/file");
  EXPECT_EQ(config->node_name, "from-variable");
  EXPECT_EQ(config->rpc_port, 9003);
}

TEST(ServerConfigTest, ReadsEveryKeyInTheFormItShows) {
  for (const ConfigKey& key : ConfigKeys()) {
    ServerConfig config;
    const std::string text = key.show(config);
    EXPECT_TRUE(key.set(config, text).ok()) << key.name << " = " << text;
    EXPECT_EQ(key.show(config), text) << key.name;
  }
}

TEST(ServerConfigTest, OurOwnKeysBeatTheVariablesOfOpenTelemetry) {
  ConfigSources sources;
  sources.environment = [](const char* name) -> const char* {
    if (std::string_view(name) == "OTEL_EXPORTER_OTLP_ENDPOINT") return "http://otel:4318";
    if (std::string_view(name) == "OTEL_TRACES_SAMPLER") return "always_off";
    if (std::string_view(name) == "CAIRN_TRACE_SAMPLER") return "parent:ratio:0.5";
    return nullptr;
  };
  auto config = LoadConfig(sources);
  ASSERT_TRUE(config.ok()) << config.status();
  std::vector<std::string> warnings;
  auto options = otel::Resolve(config->otel, config->otel_variables, {}, warnings);
  EXPECT_EQ(options.traces.url, "http://otel:4318/v1/traces");
  EXPECT_EQ(options.sampling, (otel::Sampling{.parent = true, .ratio = 0.5}));

  sources.flags = {{"otlp-endpoint", "http://flag:4317"}, {"otlp-protocol", "grpc"}};
  config = LoadConfig(sources);
  ASSERT_TRUE(config.ok()) << config.status();
  options = otel::Resolve(config->otel, config->otel_variables, {}, warnings);
  EXPECT_EQ(options.traces.url, "http://flag:4317");
  EXPECT_EQ(options.traces.protocol, otel::Protocol::kGrpc);

  for (const auto& [flag, value] :
       {std::pair("otlp-endpoint", "flag:4317"), std::pair("otlp-protocol", "http/json"),
        std::pair("trace-sampler", "sometimes")}) {
    sources.flags = {{flag, value}};
    EXPECT_THAT(Message(LoadConfig(sources).status()),
                AllOf(HasSubstr(std::string("--") + flag), HasSubstr(value)));
  }
}

TEST(ServerConfigTest, ReadsListsNestedDefaultsAndSwitches) {
  ServerConfig config;
  const absl::Status status = ApplyConfigText(config,
                                              "start_join_addrs: [a:1, b:2]\n"
                                              "bootstrap: true\n"
                                              "default_retention_ms: 60000\n"
                                              "log_level: debug\n",
                                              "f");
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(config.start_join_addrs, testing::ElementsAre("a:1", "b:2"));
  EXPECT_TRUE(config.bootstrap);
  EXPECT_EQ(config.default_settings.retention_ms, 60000);
  EXPECT_EQ(config.log_level, LogLevels(LogLevel::kDebug));
}

TEST(ServerConfigTest, NamesLineAndNearestKeyOfAWrongKey) {
  ServerConfig config;
  const absl::Status status =
      ApplyConfigText(config, "node_name: a\n\nrcp-port: 1\n", "etc/cairn.yaml");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Message(status),
            "etc/cairn.yaml:3: there is no key \"rcp-port\"; did you mean \"rpc_port\"?");
}

TEST(ServerConfigTest, NamesLineAndKeyOfAWrongValue) {
  const struct {
    std::string yaml;
    std::string expected;
  } cases[] = {
      {"a: b: c\n", "f:1: "},
      {"- data_dir\n", "key: value"},
      {"data_dir: {x: y}\n", "f:1: data_dir takes a value"},
      {"rpc_port: 70000\n", "f:1: rpc_port: \"70000\" is not a whole number from 0 to 65535"},
      {"rpc_port: 1\nrpc-port: 2\n", "f:2: rpc_port is set twice"},
      {"insecure: maybe\n", "f:1: insecure: \"maybe\" is neither true nor false"},
      {"log_level: loud\n", "f:1: log_level: \"loud\" is not a level: debug, info, warn or error"},
      {"data_dir: [unclosed\n", "f:"},
      {"data_dir: \"a\" b\n", "f:1"},
      {"shards: 0x10\n", "f:1: shards"},
  };
  for (const auto& c : cases) {
    ServerConfig config;
    const absl::Status status = ApplyConfigText(config, c.yaml, "f");
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.yaml;
    EXPECT_THAT(Message(status), HasSubstr(c.expected)) << c.yaml;
  }
}

TEST(ServerConfigTest, TakesAnEmptyFile) {
  ServerConfig config;
  EXPECT_TRUE(ApplyConfigText(config, "", "f").ok());
  EXPECT_TRUE(ApplyConfigText(config, "# nothing\n", "f").ok());
}

TEST(ServerConfigTest, NamesFlagsAndVariablesOfWrongValues) {
  ConfigSources sources;
  sources.flags = {{"rpc_port", "x"}};
  EXPECT_THAT(Message(LoadConfig(sources).status()), HasSubstr("--rpc-port: \"x\""));
  sources.flags.clear();
  sources.environment = [](const char* name) -> const char* {
    return std::string_view(name) == "CAIRN_INSECURE" ? "2" : nullptr;
  };
  EXPECT_THAT(Message(LoadConfig(sources).status()), HasSubstr("CAIRN_INSECURE: \"2\""));
  sources.config_file = "/nonexistent/cairn.yaml";
  EXPECT_THAT(Message(LoadConfig(sources).status()), HasSubstr("/nonexistent/cairn.yaml"));
}

TEST(ServerConfigTest, ListensBeyondLoopbackOnlyWhenTold) {
  ServerConfig config;
  for (const char* loopback : {"127.0.0.1:8401", "localhost:1", "[::1]:1", "127.9.9.9:1"}) {
    config.bind_addr = loopback;
    EXPECT_TRUE(ValidateConfig(config).ok()) << loopback;
  }
  for (const char* beyond : {"0.0.0.0:8401", "[::]:1", "example.org:1", "10.0.0.1:1"}) {
    config.bind_addr = beyond;
    config.insecure = false;
    const absl::Status status = ValidateConfig(config);
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << beyond;
    EXPECT_THAT(Message(status), HasSubstr("--insecure"));
    config.insecure = true;
    EXPECT_TRUE(ValidateConfig(config).ok()) << beyond;
  }
}

TEST(ServerConfigTest, RefusesWhatDoesNotFit) {
  ServerConfig config;
  config.bind_addr = "nonsense";
  EXPECT_THAT(Message(ValidateConfig(config)),
              AllOf(HasSubstr("--bind-addr"), HasSubstr("nonsense")));
  config = {};
  config.start_join_addrs = {"a:1"};
  EXPECT_TRUE(ValidateConfig(config).ok());
  config.start_join_addrs = {"no port"};
  EXPECT_EQ(ValidateConfig(config).code(), absl::StatusCode::kInvalidArgument);
  config = {};
  config.bind_addr = "127.0.0.1:8400";
  EXPECT_THAT(Message(ValidateConfig(config)), HasSubstr("the same port"));
  config = {};
  config.default_settings.segment_bytes = -1;
  EXPECT_EQ(ValidateConfig(config).code(), absl::StatusCode::kInvalidArgument);
}

TEST(ServerConfigTest, NeverShowsAKey) {
  ServerConfig config;
  const absl::Status wrong = SetConfigValue(config, "encrypt", "c2hvcnQ=", "--encrypt");
  EXPECT_THAT(Message(wrong), AllOf(HasSubstr("--encrypt"), HasSubstr("keygen"),
                                    testing::Not(HasSubstr("c2hvcnQ="))));
  const std::string key = "MDEyMzQ1Njc4OWFiY2RlZg==";
  ASSERT_TRUE(SetConfigValue(config, "encrypt", key, "--encrypt").ok());
  EXPECT_EQ(config.encrypt, key);
  EXPECT_THAT(FindConfigKey("encrypt")->show(config), testing::Not(HasSubstr(key)));
}

}  // namespace
}  // namespace cairn::server
