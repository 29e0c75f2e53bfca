// What a server says about itself: /readyz with its checks, and grpc.health.v1, which follows them.
#include "server/health.h"

#include <filesystem>
#include <fstream>
#include <thread>

#include "server/cluster_fixture.h"
#include "server/health_testing.h"
#include "server/server_fixture.h"

namespace cairn::server {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

const std::string kLog(rpc::kLogService);
const std::string kAdmin(rpc::kAdminService);

class HealthTest : public ServerFixture {
 protected:
  std::string Ready(const std::string& query = "?verbose") {
    return GetReady(server_->address(), query);
  }
  int Of(const std::string& service) { return HealthOf(server_->address(), service); }
  // Makes the replica of the only partition of `topic` impossible to open.
  void Damage(const std::string& topic) {
    server_->Stop();
    server_.reset();
    for (const auto& entry :
         std::filesystem::directory_iterator(directory_.path() + "/data/topics")) {
      if (entry.path().filename().string().starts_with(topic + "~")) {
        std::ofstream(entry.path() / "0/log-start") << "{}";
      }
    }
    StartServer();
  }
};

TEST_F(HealthTest, EveryCheckIsNamed) {
  EXPECT_THAT(Ready(), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(Ready(), EndsWith("\r\n\r\n[+]serving ok\n[+]member ok\n[+]replicas ok\n"
                                "[+]leaders ok\n[+]active ok\n[+]disk ok\n[+]logs ok\nok\n"));
  EXPECT_THAT(Ready(""), EndsWith("\r\n\r\nok\n"));
  for (const std::string_view service : rpc::kHealthServices) {
    EXPECT_EQ(Of(std::string(service)), kServing) << service;
  }
}

// Whoever watches never ends the call: it is ended at once, not when the server's patience is over
// (as UNAVAILABLE).
TEST_F(HealthTest, AStopWaitsForNobodyWhoWatches) {
  HealthStream watch(server_->address(), kLog);
  ASSERT_TRUE(watch.Becomes(kServing));
  server_->Stop();
  EXPECT_EQ(watch.End().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(HealthTest, OneDamagedTopicIsToldAndDoesNotTakeTheNodeAway) {
  ASSERT_TRUE(CreateTopic("broken").ok());
  Damage("broken");
  EXPECT_THAT(Ready(), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(Ready(), HasSubstr("[!]logs tolerated: 1 of 2 partitions here are damaged or closed: "
                                 "broken/0\n"));
  EXPECT_EQ(Of(kLog), kServing);
}

TEST_F(HealthTest, ANodeWhoseEveryLogIsDamagedServesAdminsOnly) {
  Damage("default");
  EXPECT_THAT(Ready(), StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(Ready(), HasSubstr("[-]logs failed: no partition serves"));
  EXPECT_EQ(Of(""), kNotServing);
  EXPECT_EQ(Of(kLog), kNotServing);
  EXPECT_EQ(Of(kAdmin), kServing);
}

TEST_F(HealthTest, WhoWatchesHearsThatTheServerStops) {
  HealthStream whole(server_->address(), "");
  HealthStream admin(server_->address(), kAdmin);
  EXPECT_EQ(whole.Next(), kServing);
  EXPECT_EQ(admin.Next(), kServing);
  std::thread stop([this] { server_->Stop(); });
  EXPECT_EQ(whole.Next(), kNotServing);
  EXPECT_EQ(admin.Next(), kNotServing);
  stop.join();
}

// It is to join a cluster that is not there.
class LonelyHealthTest : public HealthTest {
 protected:
  ServerConfig Config() override {
    ServerConfig config = HealthTest::Config();
    config.start_join_addrs = {"127.0.0.1:1"};
    return config;
  }
};

TEST_F(LonelyHealthTest, ANodeThatHasNotJoinedServesNothing) {
  EXPECT_THAT(Ready(), StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(Ready(), HasSubstr("[+]serving ok\n[-]member failed: the node has not joined"));
  EXPECT_THAT(Ready(""), EndsWith("\r\n\r\nnot ready: the node has not joined its cluster yet\n"));
  for (const std::string_view service : rpc::kHealthServices) {
    EXPECT_EQ(Of(std::string(service)), kNotServing) << service;
  }
}

class ClusterHealthTest : public ClusterFixture {};

TEST_F(ClusterHealthTest, FollowsTheLossOfLeadersAndTheirReturn) {
  CreateTopic("t");
  HealthStream log(Address(0), kLog);
  HealthStream admin(Address(0), kAdmin);
  EXPECT_TRUE(log.Becomes(kServing));
  EXPECT_TRUE(admin.Becomes(kServing));
  std::thread other([this] { StopNode(1); });
  StopNode(2);
  other.join();
  EXPECT_TRUE(log.Becomes(kNotServing));
  // The two may have gone one after the other, with a leader in between.
  EXPECT_TRUE(Await([this] {
    return GetReady(Address(0), "?verbose").find("[-]leaders failed: ") != std::string::npos;
  }));
  EXPECT_EQ(HealthOf(Address(0), kAdmin), kServing) << "there is nothing else to ask what is wrong";
  StartNode(1);
  StartNode(2);
  EXPECT_TRUE(log.Becomes(kServing));
}

TEST_F(ClusterHealthTest, ANodeThatIsDrainedSendsClientsElsewhere) {
  CreateTopic("t");  // whose three replicas keep the node from being emptied, and then removed
  HealthStream log(Address(1), kLog);
  EXPECT_TRUE(log.Becomes(kServing));
  ASSERT_TRUE(admin_->DrainNode(2).ok());
  EXPECT_TRUE(log.Becomes(kNotServing));
  EXPECT_THAT(GetReady(Address(1), "?verbose"),
              HasSubstr("[-]active failed: the node is being drained\n"));
  EXPECT_EQ(HealthOf(Address(1), kAdmin), kServing);
  EXPECT_EQ(HealthOf(Address(0), kLog), kServing);
  ASSERT_TRUE(admin_->ResumeNode(2).ok());
  EXPECT_TRUE(log.Becomes(kServing));
}

}  // namespace
}  // namespace cairn::server
