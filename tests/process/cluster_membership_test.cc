// Who belongs to a cluster and who does not: nodes that come, go, come back empty, or should not
// come at all, and strangers at the port between the nodes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "env/raw_client.h"
#include "process/await.h"
#include "process/cluster_fixture.h"
#include "process/cluster_load.h"
#include "process/node_client.h"

namespace cairn::testing {
namespace {

using ::testing::HasSubstr;

constexpr size_t kSome = 200;

std::string ClusterIdOf(const ServerProcess& node) {
  // The second line is the checksum of the first.
  const std::string file = ReadWholeFile(node.data_dir() + "/cairn.json");
  return nlohmann::json::parse(file.substr(0, file.find('\n')))["cluster_id"];
}

// Waits until the node has logged a line that contains all of `texts`.
[[nodiscard]] bool AwaitLogged(const ServerProcess& node, const std::vector<std::string>& texts) {
  return Await([&] {
    std::istringstream lines(node.log());
    for (std::string line; std::getline(lines, line);) {
      bool all = true;
      for (const std::string& text : texts) all = all && line.find(text) != std::string::npos;
      if (all) return true;
    }
    return false;
  });
}

class ClusterMembershipTest : public ClusterFixture {};

TEST_F(ClusterMembershipTest, ANodeThatLostItsDirectoryComesBackAsANewOneAndCatchesUp) {
  ProduceSome();
  const size_t wiped = cluster_.OtherThan(cluster_.AwaitLeader());
  cluster_.Kill(wiped);
  cluster_.Wipe(wiped);
  ProduceSome();  // which the wiped node has never seen
  cluster_.Restart(wiped);
  ASSERT_TRUE(AwaitLogged(cluster_.node(wiped), {"\"msg\":\"joined\"", "\"node_id\":\"4\""}))
      << cluster_.node(wiped).events();
  ASSERT_NO_FATAL_FAILURE(cluster_.AwaitVoters(ClusterProcess::kDefaultLog, 3));
  ProduceSome();
  cluster_.ExpectConsistent(history_);
}

TEST_F(ClusterMembershipTest, AFourthNodeForwardsAndTakesReplicas) {
  ProduceSome();
  const size_t fourth = cluster_.AddNode();
  ASSERT_TRUE(AwaitLogged(cluster_.node(fourth), {"\"msg\":\"joined\"", "\"node_id\":\"4\""}))
      << cluster_.node(fourth).events();
  // It serves clients although it holds nothing of theirs: it forwards.
  logapi::v1::ProduceRequest request;
  request.mutable_record()->set_value(NumberedValue(100, 0));
  history_.Append(100, 0);
  NodeClient client(cluster_.node(fourth).address());
  absl::StatusOr<logapi::v1::ProduceResponse> answer;
  ASSERT_TRUE(Await([&] {
    answer = client.Produce(request);
    return answer.ok() || !absl::IsUnavailable(answer.status());
  }));
  ASSERT_TRUE(answer.ok()) << answer.status();
  history_.Acknowledge(100, 0, answer->offset());
  // All four nodes know of it, and a new topic of three replicas may lie there.
  for (size_t node = 0; node < cluster_.size(); ++node) {
    EXPECT_TRUE(Await([&] {
      const auto servers = NodeClient(cluster_.node(node).address()).Servers();
      return servers.ok() && servers->size() == 4;
    })) << ClusterProcess::NameOf(node);
  }
  ASSERT_TRUE(client.CreateTopic("wide", 4).ok());
  EXPECT_TRUE(Await(
      [&] { return cluster_.ConfigurationOnDisk(fourth, "topics/wide~2/0").voter_count() == 4; }));
  cluster_.ExpectConsistent(history_);
}

TEST_F(ClusterMembershipTest, ANameThatALiveNodeHasIsRefused) {
  const ScratchDir scratch;
  ServerProcess second(scratch / "data");
  second.Start({}, {"--node-name", "n2", "--start-join-addrs", cluster_.node(0).address()});
  EXPECT_TRUE(AwaitLogged(second, {"not joined yet", "n2", "name"})) << second.events();
  EXPECT_TRUE(second.log().find("\"msg\":\"joined\"") == std::string::npos);
  // The holder of the name is none the worse for it.
  ProduceSome();
  cluster_.ExpectConsistent(history_);
}

TEST_F(ClusterMembershipTest, ANodeOfAnotherClusterIsRefusedWithBothIds) {
  const std::string ours = ClusterIdOf(cluster_.node(0));
  // A cluster of its own, which then hears that its place is here: its address is in the list of
  // one of ours, as after a mistake in the configuration.
  const ScratchDir scratch;
  ServerProcess stranger(scratch / "data");
  stranger.Start({}, {"--node-name", "stranger"});
  const std::string theirs = ClusterIdOf(stranger);
  ASSERT_NE(ours, theirs);
  // Its directory under the name and address of one of our nodes.
  const size_t node = cluster_.OtherThan(cluster_.AwaitLeader());
  stranger.Kill();
  cluster_.Kill(node);
  ServerProcess impostor(stranger.data_dir(), cluster_.node(node).address());
  impostor.Start({}, {"--node-name", ClusterProcess::NameOf(node), "--start-join-addrs",
                      cluster_.node(cluster_.AwaitLeader()).address()});
  const size_t leader = cluster_.AwaitLeader();
  EXPECT_TRUE(AwaitLogged(cluster_.node(leader), {"peer connection rejected", theirs}))
      << cluster_.node(leader).events();
  EXPECT_TRUE(AwaitLogged(impostor, {"peer connection rejected", ours})) << impostor.events();
  impostor.Kill();
  cluster_.Restart(node);
  ProduceSome();
  cluster_.ExpectConsistent(history_);
}

// The node that took over saw a preferred leader that still answered, and gave the lead back to it
// while it was stopping: then it was gone, and the others waited for an election.
TEST(ClusterStopTest, ALeaderThatIsToldToStopDoesNotGetTheLeadBack) {
  // Nobody stands for election by himself.
  const std::vector<std::string> patient = {"--election-timeout-ms", "20000"};
  ClusterProcess cluster({.flags = {patient, patient, patient}});
  ASSERT_NO_FATAL_FAILURE(cluster.Start());
  ASSERT_EQ(cluster.AwaitLeader(), 0u);
  cluster.Terminate(0);
  cluster.Restart(0);
  // It gets the lead when it has answered for long enough.
  ASSERT_TRUE(Await([&] { return cluster.FindLeader() == 0; }));
  NodeClient client(cluster.node(1).address());
  const auto produce = [&] {
    logapi::v1::ProduceRequest request;
    request.mutable_record()->set_value("value");
    return client.Produce(request).ok();
  };
  ASSERT_TRUE(Await(produce));
  const Term before = cluster.LastTermOnDisk(0, ClusterProcess::kDefaultLog);
  cluster.Terminate(0);
  ASSERT_TRUE(Await(produce));
  EXPECT_EQ(cluster.LastTermOnDisk(1, ClusterProcess::kDefaultLog), before + 1);
}

TEST_F(ClusterMembershipTest, GarbageAtThePeersPortHarmsNobody) {
  ClusterLoad load({.addresses = cluster_.addresses()}, history_);
  load.AwaitAcknowledged(kSome);
  const std::string peer(1, '\x01');
  const std::vector<std::pair<std::string, std::string>> junk = {
      {"only the first byte", peer},
      {"text", peer + "GET / HTTP/1.1\r\n\r\n"},
      {"zeros", peer + std::string(4096, '\0')},
      {"a header that claims 4 GiB", peer + std::string(32, '\xff')},
      {"half a header", peer + std::string(16, '\x22')},
      {"a probe before the handshake",
       peer + std::string("\x22\x64\x3c\x1a\x8b\x1f\x89\x82\x0c\0\0\0\0\0\0\0\0\0\0\0\x16\0\0\0"
                          "\x07\0\0\0\0\0\0\0\x03\0\0\0\x02\x01\0\0\0\0\0\0",
                          44)},
      {"much", peer + std::string(1 << 20, 'j')},
  };
  for (size_t node = 0; node < cluster_.size(); ++node) {
    for (const auto& [what, bytes] : junk) {
      SCOPED_TRACE(what);
      env::RawClient stranger(cluster_.node(node).address());
      stranger.Send(bytes);
      stranger.CloseWriting();
      stranger.ReceiveAll();  // the node closes the connection
      ASSERT_TRUE(cluster_.IsRunning(node)) << cluster_.node(node).events();
    }
  }
  load.AwaitAcknowledged(kSome);
  load.Finish();
  for (size_t node = 0; node < cluster_.size(); ++node) {
    EXPECT_THAT(cluster_.node(node).log(), HasSubstr("peer connection rejected"));
  }
  cluster_.ExpectConsistent(history_);
}

}  // namespace
}  // namespace cairn::testing
