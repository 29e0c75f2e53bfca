// GET /metrics: every metric of the table is there, moves when what it measures happens, and is
// shown to whom it concerns.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "env/raw_client.h"
#include "server/scrape_testing.h"
#include "server/secure_fixture.h"

namespace cairn::server {
namespace {

using telemetry::MetricSpec;
using testing::HasSubstr;
using testing::StartsWith;

std::string Rpcs(const std::string& method, const std::string& code) {
  return "cairn_rpc_requests_total{method=\"" + method + "\",code=\"" + code + "\"}";
}

// A client that follows the topic "default" from its beginning.
class Follower {
 public:
  explicit Follower(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(logapi::v1::Log::NewStub(channel)) {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    reader_ = stub_->ConsumeStream(&context_, {});
  }
  ~Follower() { Cancel(); }
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  bool ReadOne() {
    logapi::v1::ConsumeResponse response;
    return reader_->Read(&response);
  }
  void Cancel() { context_.TryCancel(); }

 private:
  const std::unique_ptr<logapi::v1::Log::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<logapi::v1::ConsumeResponse>> reader_;
};

// A server that has everything there are metrics of: TLS, a policy, an audit log.
class MetricsTest : public SecureFixture {
 protected:
  void SetUp() override {
    SetPolicy(
        "p, alice, *, produce, allow\np, alice, *, consume, allow\np, alice, unknown, produce, "
        "allow\n");
    StartServer();
    scraper_ = Issue(ClientRequest("prometheus"));
  }

  ServerConfig Config() override {
    ServerConfig config = SecureFixture::Config();
    config.audit.path = File("audit.log");
    return config;
  }

  void SetPolicy(const std::string& rules) const {
    WritePolicy("p, prometheus, *, describe, allow\n" + rules);
  }

  Scrape Now() { return Scrape(GetOver(scraper_, "/metrics")); }

  // Waits until the series has grown by `more`, to the last digit.
  void ExpectGrown(const Scrape& before, const std::string& series, double more) {
    EXPECT_TRUE(Await([&] { return Now()[series] == before[series] + more; }))
        << series << " was " << before[series] << ", is " << Now()[series];
  }

  void ConsumeOne(const std::shared_ptr<grpc::Channel>& channel) {
    grpc::ClientContext context;
    SetDeadline(context);
    logapi::v1::ConsumeResponse response;
    const auto stub = logapi::v1::Log::NewStub(channel);
    ASSERT_TRUE(stub->Consume(&context, {}, &response).ok());
  }

  security::TlsFiles scraper_;
};

TEST_F(MetricsTest, ShowsEveryMetricOfTheTable) {
  const Follower follower(ChannelOf("alice"));
  ASSERT_TRUE(Await([&] { return Now()[OfPartition("cairn_partition_consumers")] == 1; }));
  const Scrape scrape = Now();
  EXPECT_THAT(scrape.head(),
              HasSubstr("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  for (const MetricSpec& metric : telemetry::MetricTable()) {
    EXPECT_TRUE(scrape.Shows(metric)) << metric.name;
  }
}

TEST_F(MetricsTest, PrometheusFindsNothingToSayAboutIt) {
  ASSERT_TRUE(ProduceOver(ChannelOf("alice")).ok());
  Write("scrape", Now().text());
  const std::string command =
      "promtool check metrics < " + File("scrape") + " > " + File("said") + " 2>&1";
  const int status = std::system(command.c_str());
  std::ifstream said(File("said"));
  EXPECT_EQ(status, 0) << said.rdbuf();
}

TEST_F(MetricsTest, CountsWhatIsProducedAndConsumed) {
  const auto alice = ChannelOf("alice");
  const Scrape before = Now();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(ProduceOver(alice).ok());
  ConsumeOne(alice);
  const std::string produce = "/log.v1.Log/Produce";
  ExpectGrown(before, Rpcs(produce, "OK"), 3);
  ExpectGrown(before, "cairn_rpc_duration_seconds_count{method=\"" + produce + "\"}", 3);
  ExpectGrown(before, Rpcs("/log.v1.Log/Consume", "OK"), 1);
  const Scrape after = Now();
  const auto grown = [&](const std::string& series) { return after[series] - before[series]; };
  EXPECT_EQ(grown("cairn_produce_duration_seconds_count"), 3);
  EXPECT_GT(grown("cairn_produce_duration_seconds_sum"), 0);
  EXPECT_EQ(grown("cairn_appended_records_total"), 3);
  EXPECT_GT(grown("cairn_appended_bytes_total"), 0);
  EXPECT_GE(grown("cairn_fsync_duration_seconds_count"), 1);
  EXPECT_GT(grown("cairn_fsync_duration_seconds_sum"), 0);
  EXPECT_EQ(grown("cairn_commit_group_entries_sum"), 3);
  EXPECT_GT(after["cairn_tail_cache_bytes"], 0);
  EXPECT_EQ(grown(OfPartition("cairn_partition_produced_records_total")), 3);
  EXPECT_GE(grown(OfPartition("cairn_partition_produced_bytes_total")), 3);
  EXPECT_EQ(grown(OfPartition("cairn_partition_consumed_records_total")), 1);
  EXPECT_GE(grown(OfPartition("cairn_partition_consumed_bytes_total")), 1);
  EXPECT_EQ(after[OfPartition("cairn_partition_high_watermark")], 3);
  EXPECT_EQ(after[OfPartition("cairn_partition_log_end")], 3);
  EXPECT_EQ(after[OfPartition("cairn_partition_log_start")], 0);
  EXPECT_GT(grown(OfPartition("cairn_partition_size_bytes")), 0);
  EXPECT_EQ(after[OfPartition("cairn_partition_segments")], 1);
}

// A client that reads nothing takes what fits into gRPC's windows, and no more.
TEST_F(MetricsTest, TellsHowFarTheSlowestConsumerIsBehind) {
  const std::string consumers = OfPartition("cairn_partition_consumers");
  const std::string lag = OfPartition("cairn_consumer_lag_records");
  EXPECT_EQ(Now()[consumers], 0);
  EXPECT_FALSE(Now().Has(lag)) << "nobody is behind";
  const auto alice = ChannelOf("alice");
  Follower slow(alice);
  ASSERT_TRUE(Await([&] { return Now()[consumers] == 1; }));
  EXPECT_EQ(Now()["cairn_rpc_streams"], 1);
  EXPECT_EQ(Now()[lag], 0);
  constexpr int kRecords = 40;
  const std::string large(500'000, 'x');
  for (int i = 0; i < kRecords; ++i) ASSERT_TRUE(ProduceOver(alice, "", large).ok());
  EXPECT_TRUE(Await([&] { return Now()[lag] > 0; }));
  {
    Follower quick(ChannelOf("alice"));
    for (int i = 0; i < kRecords; ++i) ASSERT_TRUE(quick.ReadOne());
    EXPECT_TRUE(Await([&] { return Now()[consumers] == 2; }));
    EXPECT_GT(Now()[lag], 0) << "of the slowest";
  }
  EXPECT_TRUE(Await([&] { return Now()[consumers] == 1; }));
  for (int i = 0; i < kRecords; ++i) ASSERT_TRUE(slow.ReadOne());
  EXPECT_TRUE(Await([&] { return Now().Has(lag) && Now()[lag] == 0; }));
  slow.Cancel();
  EXPECT_TRUE(Await([&] { return Now()[consumers] == 0 && !Now().Has(lag); }));
  EXPECT_TRUE(Await([&] { return Now()["cairn_rpc_streams"] == 0; }));
}

TEST_F(MetricsTest, CountsErrorsByCode) {
  const auto alice = ChannelOf("alice");
  const Scrape before = Now();
  EXPECT_FALSE(ProduceOver(alice, "unknown").ok());
  EXPECT_FALSE(ProduceOver(ChannelOf("mallory")).ok());
  ExpectGrown(before, Rpcs("/log.v1.Log/Produce", "NOT_FOUND"), 1);
  ExpectGrown(before, Rpcs("/log.v1.Log/Produce", "PERMISSION_DENIED"), 1);
  ExpectGrown(before, Rpcs("/log.v1.Log/Produce", "OK"), 0);
  ExpectGrown(before, "cairn_audit_records_written_total", 1);
}

TEST_F(MetricsTest, CountsConnectionsByProtocolAndReasonOfRefusal) {
  const Scrape before = Now();
  env::RawClient(server_->address()).Send("GET / HTTP/1.1\r\n\r\n");
  ExpectGrown(before, "cairn_connections_refused_total{reason=\"plaintext\"}", 1);
  EXPECT_EQ(GetOver({.authorities = File("ca.pem")}, "/livez"), "");
  ExpectGrown(before, "cairn_connections_refused_total{reason=\"tls\"}", 1);
  ASSERT_TRUE(ProduceOver(ChannelOf("alice")).ok());
  ExpectGrown(before, "cairn_connections_accepted_total{protocol=\"grpc\"}", 1);
  const Scrape after = Now();
  const std::string http = "cairn_connections_accepted_total{protocol=\"http\"}";
  EXPECT_GT(after[http], before[http]) << "scrapes are such";
  EXPECT_GE(after["cairn_connections"], 1);
}

TEST_F(MetricsTest, FollowsPolicyAndCertificates) {
  const Scrape before = Now();
  EXPECT_EQ(before["cairn_policy_version"], 1);
  SetPolicy("p, alice, *, consume, allow\n");
  server_->Reload(Config());
  ExpectGrown(before, "cairn_policy_version", 1);
  ExpectGrown(before, "cairn_security_reloads_total", 1);
  Replace("policy.csv", "p, \"broken\n");
  server_->Reload(Config());
  EXPECT_TRUE(Await([&] { return Now()["cairn_security_reload_failures_total"] >= 1; }));
  EXPECT_EQ(Now()["cairn_policy_version"], 2);
  for (const char* name : {"server", "peer"}) {
    EXPECT_EQ(Now()[base::StrCat("cairn_tls_certificate_expiry_timestamp_seconds{certificate=\"",
                                 name, "\"}")],
              now_s_ + 60 * kDayS);
  }
}

TEST_F(MetricsTest, KnowsTheProcess) {
  const Scrape scrape = Now();
  EXPECT_GT(scrape["cairn_process_cpu_seconds_total"], 0);
  EXPECT_GT(scrape["cairn_process_resident_memory_bytes"], 1 << 20);
  EXPECT_GT(scrape["cairn_process_open_fds"], 3);
  EXPECT_GT(scrape["cairn_process_max_fds"], scrape["cairn_process_open_fds"]);
  EXPECT_GT(scrape["cairn_process_threads"], 5);
  EXPECT_NEAR(scrape["cairn_process_start_time_seconds"], static_cast<double>(now_s_), 600);
  EXPECT_EQ(scrape["cairn_ready"], 1);
  EXPECT_THAT(scrape.text(), HasSubstr("cairn_build_info{version=\""));
}

TEST_F(MetricsTest, AreForWhoMayDescribeTheCluster) {
  EXPECT_THAT(GetOver(scraper_, "/metrics"), StartsWith("HTTP/1.1 200 "));
  SetPolicy("p, alice, orders, produce, allow\np, bob, *, consume, allow\n");
  server_->Reload(Config());
  const auto answers = [&](const std::string& who, const std::string& status) {
    const security::TlsFiles files = Issue(ClientRequest(who));
    return Await([&] { return GetOver(files, "/metrics").starts_with("HTTP/1.1 " + status); });
  };
  EXPECT_TRUE(answers("bob", "200"));
  EXPECT_TRUE(answers("alice", "403"));
  EXPECT_EQ(GetOver({.authorities = File("ca.pem")}, "/metrics"), "") << "no certificate";
  std::ifstream audit(File("audit.log"));
  EXPECT_TRUE(Await([&] {
    std::string line;
    while (std::getline(audit, line)) {
      if (line.find("\"subject\":\"alice\"") != std::string::npos) return true;
    }
    audit.clear();
    return false;
  }));
}

class LostAuditTest : public MetricsTest {
 protected:
  ServerConfig Config() override {
    ServerConfig config = MetricsTest::Config();
    config.audit.max_queued = 4;
    return config;
  }
};

TEST_F(LostAuditTest, CountsWhatTheAuditLogLost) {
  const auto mallory = ChannelOf("mallory");
  EXPECT_EQ(Now()["cairn_audit_failures_total"], 0);
  // What cannot be opened again, as after a rotation that went wrong.
  std::filesystem::remove(File("audit.log"));
  std::filesystem::create_directory(File("audit.log"));
  server_->Reload(Config());
  EXPECT_TRUE(Await([&] { return Now()["cairn_audit_failures_total"] >= 1; }));
  EXPECT_TRUE(Await([&] {
    EXPECT_FALSE(ProduceOver(mallory).ok());
    return Now()["cairn_audit_records_dropped_total"] > 0;
  }));
  std::filesystem::remove(File("audit.log"));
  const double written = Now()["cairn_audit_records_written_total"];
  EXPECT_TRUE(Await([&] { return Now()["cairn_audit_records_written_total"] > written; }));
}

// Without TLS, and with room for the metrics of two partitions.
class BoundedMetricsTest : public ServerFixture {
 protected:
  ServerConfig Config() override {
    ServerConfig config = ServerFixture::Config();
    config.metrics_max_partitions = 2;
    return config;
  }
};

TEST_F(BoundedMetricsTest, LeavesOutPartitionsBeyondTheLimit) {
  ASSERT_TRUE(CreateTopic("orders", 3).ok());
  const Scrape scrape = ScrapeOf(server_->address());
  int shown = 0;
  const std::vector<std::pair<std::string, int>> partitions = {
      {"default", 0}, {"orders", 0}, {"orders", 1}, {"orders", 2}};
  for (const auto& [topic, partition] : partitions) {
    if (scrape.Has(OfPartition("cairn_partition_high_watermark", topic, partition))) ++shown;
  }
  EXPECT_EQ(shown, 2);
  EXPECT_EQ(scrape["cairn_metrics_partitions_left_out_total"], 2);
  EXPECT_EQ(scrape["cairn_replicas{role=\"leader\"}"], 4) << "what is summed is of all";
}

TEST_F(BoundedMetricsTest, AnswersScrapesUntilItIsStopped) {
  std::atomic<int> whole{0};
  const std::string address = server_->address();
  std::vector<std::thread> scrapers;
  for (int i = 0; i < 4; ++i) {
    scrapers.emplace_back([&] {
      env::RawClient client(address);
      for (bool open = true; open;) {
        constexpr std::string_view kLastLine = "cairn_metrics_partitions_left_out_total 0\n";
        client.Send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        open = client.ReceiveUntil(kLastLine).ends_with(kLastLine);
        if (open) ++whole;
      }
    });
  }
  EXPECT_TRUE(Await([&] { return whole >= 20; }));
  server_->Stop();
  for (std::thread& scraper : scrapers) scraper.join();
}

}  // namespace
}  // namespace cairn::server
