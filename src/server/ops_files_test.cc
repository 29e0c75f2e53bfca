// docs/ops: alert rules, the runbook and the dashboard fit the metrics that there are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <string>

#include "env/temporary_directory.h"
#include "telemetry/metric_table.h"

namespace cairn::server {
namespace {

std::string ReadOpsFile(const std::string& name) {
  std::ifstream file(OPS_DIRECTORY "/" + name);
  EXPECT_TRUE(file.good()) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

// Names that the text may use for the metrics of the table: of a histogram those of its series.
std::set<std::string> KnownNames() {
  std::set<std::string> names;
  for (const telemetry::MetricSpec& metric : telemetry::MetricTable()) {
    const std::string name(metric.name);
    names.insert(name);
    if (metric.kind != telemetry::MetricKind::kHistogram) continue;
    for (const char* suffix : {"_bucket", "_sum", "_count"}) names.insert(name + suffix);
  }
  return names;
}

void ExpectOnlyKnownMetrics(const std::string& text) {
  const std::set<std::string> known = KnownNames();
  const std::regex name("cairn_[a-z_]+");
  int found = 0;
  for (std::sregex_iterator it(text.begin(), text.end(), name), end; it != end; ++it, ++found) {
    EXPECT_TRUE(known.contains(it->str())) << it->str() << " is no metric";
  }
  EXPECT_GT(found, 0);
}

std::set<std::string> AlertNames() {
  std::set<std::string> names;
  for (const YAML::Node& group : YAML::Load(ReadOpsFile("alerts.yml"))["groups"]) {
    for (const YAML::Node& rule : group["rules"]) names.insert(rule["alert"].as<std::string>());
  }
  return names;
}

TEST(OpsFilesTest, PrometheusTakesTheAlertRules) {
  env::TemporaryDirectory directory;
  const std::string said_file = directory.path() + "/said";
  const std::string command =
      "promtool check rules " OPS_DIRECTORY "/alerts.yml > " + said_file + " 2>&1";
  const int status = std::system(command.c_str());
  std::ifstream said(said_file);
  EXPECT_EQ(status, 0) << said.rdbuf();
}

TEST(OpsFilesTest, AlertsRunbookAndDashboardNameMetricsOfTheTable) {
  for (const char* file : {"alerts.yml", "runbook.md", "grafana-dashboard.json"}) {
    SCOPED_TRACE(file);
    ExpectOnlyKnownMetrics(ReadOpsFile(file));
  }
}

TEST(OpsFilesTest, TheRunbookHasASectionForEachAlertAndForNothingElse) {
  std::set<std::string> sections;
  const std::string runbook = ReadOpsFile("runbook.md");
  const std::regex heading("\n## (Cairn[A-Za-z]+)\n");
  for (std::sregex_iterator it(runbook.begin(), runbook.end(), heading), end; it != end; ++it) {
    sections.insert((*it)[1].str());
  }
  EXPECT_EQ(sections, AlertNames());
  for (const char* part : {"**Means:**", "**Look at:**", "**Do:**"}) {
    size_t count = 0;
    for (size_t at = runbook.find(part); at != std::string::npos; at = runbook.find(part, at + 1)) {
      ++count;
    }
    EXPECT_EQ(count, sections.size()) << part;
  }
}

// By a test that looks at it from outside, as an operator does.
TEST(OpsFilesTest, EachMetricIsMovedByATest) {
  std::string tests;
  for (const char* folder : {SOURCE_DIRECTORY "/src/server", SOURCE_DIRECTORY "/tests/process"}) {
    for (const auto& file : std::filesystem::directory_iterator(folder)) {
      if (!file.path().string().ends_with("_test.cc")) continue;
      std::ifstream text(file.path());
      tests.append(std::istreambuf_iterator<char>(text), {});
    }
  }
  for (const telemetry::MetricSpec& metric : telemetry::MetricTable()) {
    EXPECT_TRUE(
        std::regex_search(tests, std::regex(std::string(metric.name) + "(_sum|_count)?[^a-z_]")))
        << metric.name;
  }
}

TEST(OpsFilesTest, EachAlertPointsToItsSection) {
  for (const YAML::Node& group : YAML::Load(ReadOpsFile("alerts.yml"))["groups"]) {
    for (const YAML::Node& rule : group["rules"]) {
      std::string anchor = rule["alert"].as<std::string>();
      for (char& letter : anchor) letter = static_cast<char>(std::tolower(letter));
      EXPECT_EQ(rule["annotations"]["runbook"].as<std::string>(), "docs/ops/runbook.md#" + anchor);
      const std::string severity = rule["labels"]["severity"].as<std::string>();
      EXPECT_TRUE(severity == "critical" || severity == "warning") << severity;
    }
  }
}

TEST(OpsFilesTest, TheDashboardIsJsonWhosePanelsAllAskForSomething) {
  const auto dashboard = nlohmann::json::parse(ReadOpsFile("grafana-dashboard.json"));
  EXPECT_FALSE(dashboard.at("panels").empty());
  std::set<int> ids;
  for (const auto& panel : dashboard.at("panels")) {
    EXPECT_TRUE(ids.insert(panel.at("id").get<int>()).second) << panel.at("title");
    EXPECT_FALSE(panel.at("targets").empty()) << panel.at("title");
    for (const auto& target : panel.at("targets")) {
      EXPECT_THAT(target.at("expr").get<std::string>(), testing::HasSubstr("cairn_"));
    }
  }
}

}  // namespace
}  // namespace cairn::server
