// What a node says of itself, asked through another: metrics by HTTP and RPC, diagnostics.
#include <gmock/gmock.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

#include "cairn/error.h"
#include "env/raw_client.h"
#include "server/cluster_fixture.h"
#include "server/log_ring.h"
#include "telemetry/prometheus_parser.h"

namespace cairn::server {
namespace {

using telemetry::ParsedMetrics;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class SelfReportTest : public ClusterFixture {
 protected:
  void ExpectMetricsOfAnyNode();
  void ExpectErrorsThatSayWhatIsWrong();
  void ExpectDiagnosticsOfAnyNode();
  void ExpectANodeThatIsAwayToBeSaidSo();

  ParsedMetrics MetricsOf(int32_t node, const std::vector<std::string>& names) {
    auto text = admin_->GetMetrics(node, names);
    EXPECT_TRUE(text.ok()) << text.status();
    auto metrics = ParsedMetrics::Parse(text.value_or(""));
    EXPECT_TRUE(metrics.ok()) << metrics.status();
    return metrics.value_or(ParsedMetrics());
  }
  std::string Get(int index, const std::string& query) {
    env::RawClient client(Address(index));
    client.Send("GET /metrics" + query + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    return client.ReceiveAll();
  }
};

void SelfReportTest::ExpectMetricsOfAnyNode() {
  const auto cluster = admin_->DescribeCluster();
  ASSERT_TRUE(cluster.ok()) << cluster.status();
  for (int32_t node = 1; node <= kNodes; ++node) {
    const ParsedMetrics metrics = MetricsOf(node, {"cairn_controller_leads", "cairn_ready"});
    EXPECT_EQ(metrics.Value("cairn_controller_leads"), node == cluster->controller ? 1 : 0) << node;
    EXPECT_EQ(metrics.Value("cairn_ready"), 1);
    EXPECT_EQ(metrics.size(), 2u) << "only what was asked for";
    for (int index = 0; index < kNodes; ++index) {
      const std::string answer = Get(index, "?node=" + std::to_string(node));
      EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("version=0.0.4")));
      EXPECT_THAT(answer, HasSubstr("\ncairn_controller_leads " +
                                    std::string(node == cluster->controller ? "1\n" : "0\n")));
    }
  }
  EXPECT_THAT(Get(0, "?node=2&names=cairn_ready"),
              AllOf(EndsWith("cairn_ready 1\n"), Not(HasSubstr("cairn_build_info"))));
  EXPECT_THAT(Get(0, "?names=cairn_ready"), EndsWith("cairn_ready 1\n"));
}

void SelfReportTest::ExpectErrorsThatSayWhatIsWrong() {
  EXPECT_THAT(Get(0, "?node=9"), AllOf(StartsWith("HTTP/1.1 404 "), HasSubstr("no node 9; there "
                                                                              "are: 1, 2, 3\n")));
  for (const char* bad : {"?node=x", "?node=0", "?node=-1", "?node=99999999999", "?node=", "?nod=1",
                          "?node=1&node=2", "?names=", "?names=a%20b", "?x"}) {
    EXPECT_THAT(Get(0, bad), StartsWith("HTTP/1.1 400 ")) << bad;
  }
  const auto unknown = admin_->GetMetrics(9);
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ErrorReason(unknown.status()), "UNKNOWN_NODE");
  EXPECT_EQ(admin_->GetMetrics(-1).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(admin_->GetMetrics(1, std::vector<std::string>(65, "cairn_ready")).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(admin_->GetMetrics(1, {std::string(129, 'a')}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

void SelfReportTest::ExpectDiagnosticsOfAnyNode() {
  for (int32_t node = 1; node <= kNodes; ++node) {
    const auto text = admin_->GetDiagnostics(node);
    ASSERT_TRUE(text.ok()) << text.status();
    const auto json = nlohmann::json::parse(*text);
    EXPECT_EQ(json.at("config").at("node_name"), "node-" + std::to_string(node));
    EXPECT_FALSE(json.at("build").at("version").get<std::string>().empty());
    EXPECT_GT(json.at("process").at("resident_bytes"), 1 << 20);
    EXPECT_GT(json.at("machine").at("disk").at("total_bytes"), 1 << 20);
    EXPECT_THAT(json.at("log").get<std::string>(), HasSubstr("\"msg\":\"serving\""));
    ASSERT_FALSE(json.at("health").empty());
    for (const auto& check : json.at("health")) EXPECT_EQ(check.at("ok"), true) << check;
  }
}

void SelfReportTest::ExpectANodeThatIsAwayToBeSaidSo() {
  StopNode(2);
  const auto began = std::chrono::steady_clock::now();
  const auto away = [&] { return ErrorReason(admin_->GetMetrics(3).status()); };
  EXPECT_TRUE(Await([&] { return away() == "NODE_UNREACHABLE"; }));
  EXPECT_THAT(Get(0, "?node=3"),
              AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("node 3 does not answer")));
  EXPECT_EQ(ErrorReason(admin_->GetDiagnostics(3).status()), "NODE_UNREACHABLE");
  EXPECT_EQ(MetricsOf(2, {"cairn_build_info"}).size(), 1u) << "the others go on";
  // The client does not try again what another broker would say, too: its timeout is 30 s.
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(25));
}

// One cluster for all of it: to start one takes seconds.
TEST_F(SelfReportTest, AnyNodeTellsOfAnother) {
  ExpectMetricsOfAnyNode();
  ExpectErrorsThatSayWhatIsWrong();
  ExpectDiagnosticsOfAnyNode();
  ExpectANodeThatIsAwayToBeSaidSo();
}

TEST(LogRingTest, KeepsTheLastLinesAndNoMore) {
  LogRing ring;
  EXPECT_EQ(ring.Text(), "");
  for (size_t i = 0; i <= LogRing::kMaxLines; ++i) ring.Add(std::to_string(i) + "\n");
  EXPECT_THAT(ring.Text(), StartsWith("1\n2\n"));
  EXPECT_THAT(ring.Text(), EndsWith("\n" + std::to_string(LogRing::kMaxLines) + "\n"));
  const std::string large(LogRing::kMaxBytes / 4, 'x');
  for (int i = 0; i < 5; ++i) ring.Add(large);
  EXPECT_EQ(ring.Text().size(), LogRing::kMaxBytes);
}

}  // namespace
}  // namespace cairn::server
