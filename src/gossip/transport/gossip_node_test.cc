#include "gossip/transport/gossip_node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "base/strings.h"
#include "env/sim_clock.h"
#include "env/sim_executor.h"
#include "env/sim_network.h"

namespace cairn::gossip {
namespace {

class GossipNodeTest : public testing::Test {
 protected:
  std::unique_ptr<GossipNode> StartNode(int host, const std::string& key = "") {
    const std::string ip = base::StrCat("10.0.0.", host);
    networks_.push_back(fabric_.AddHost(ip, executor_));
    SerfConfig config;
    config.swim.name = base::StrCat("n", host);
    if (!key.empty()) config.keys = {key};
    auto node = GossipNode::Start(ip + ":7946", std::move(config), *networks_.back(), executor_,
                                  clock_, random_, nullptr);
    EXPECT_TRUE(node.ok()) << node.status();
    return *std::move(node);
  }
  absl::Status Join(GossipNode& node, int host) {
    absl::Status result = absl::UnknownError("still joining");
    node.With([&](Serf& serf) {
      serf.Join(Address::Parse(base::StrCat("10.0.0.", host, ":7946")).value(), false,
                [&](absl::Status status) { result = status; });
    });
    executor_.RunFor(15 * kNsPerSecond);
    return result;
  }
  static MemberStatus StatusOf(const GossipNode& node, const std::string& name) {
    const SerfMember* member = node.serf().Find(name);
    return member == nullptr ? MemberStatus::kNone : member->status;
  }

  env::SimClock clock_;
  env::SimExecutor executor_{clock_};
  env::SimRandom random_{1};
  env::SimNetwork fabric_{clock_, executor_, random_};
  std::vector<std::unique_ptr<env::Network>> networks_;
};

TEST_F(GossipNodeTest, NodesJoinFailAndComeBackOverTheSimulatedNetwork) {
  auto a = StartNode(1);
  auto b = StartNode(2);
  auto c = StartNode(3);
  EXPECT_TRUE(Join(*b, 1).ok());
  EXPECT_TRUE(Join(*c, 2).ok());
  EXPECT_EQ(StatusOf(*a, "n3"), MemberStatus::kAlive);
  fabric_.CutBoth("10.0.0.3", "10.0.0.1");
  fabric_.CutBoth("10.0.0.3", "10.0.0.2");
  executor_.RunFor(60 * kNsPerSecond);
  EXPECT_EQ(StatusOf(*a, "n3"), MemberStatus::kFailed);
  fabric_.HealAll();
  executor_.RunFor(120 * kNsPerSecond);
  EXPECT_EQ(StatusOf(*a, "n3"), MemberStatus::kAlive);
  EXPECT_EQ(StatusOf(*c, "n1"), MemberStatus::kAlive);
}

TEST_F(GossipNodeTest, ACutBetweenTwoIsNoFailureWhileOthersReachBoth) {
  auto a = StartNode(1);
  auto b = StartNode(2);
  auto c = StartNode(3);
  EXPECT_TRUE(Join(*b, 1).ok());
  EXPECT_TRUE(Join(*c, 1).ok());
  fabric_.CutBoth("10.0.0.1", "10.0.0.2");
  executor_.RunFor(120 * kNsPerSecond);
  EXPECT_EQ(StatusOf(*a, "n2"), MemberStatus::kAlive);
  EXPECT_EQ(a->serf().swim().counters().suspicions, 0u);
}

TEST_F(GossipNodeTest, AJoinToNobodyFails) {
  auto a = StartNode(1);
  networks_.push_back(fabric_.AddHost("10.0.0.9", executor_));
  EXPECT_TRUE(absl::IsUnavailable(Join(*a, 9)));
}

TEST_F(GossipNodeTest, WithoutTheKeyNobodyGetsIn) {
  auto a = StartNode(1, std::string(16, 'k'));
  auto b = StartNode(2, std::string(16, 'k'));
  auto c = StartNode(3);
  auto d = StartNode(4, std::string(16, 'x'));
  EXPECT_TRUE(Join(*b, 1).ok());
  EXPECT_FALSE(Join(*c, 1).ok());
  EXPECT_FALSE(Join(*d, 1).ok());
  EXPECT_EQ(a->serf().members().size(), 2u);
}

TEST_F(GossipNodeTest, SilentPeersCostABoundedNumberOfConnectionsForABoundedTime) {
  auto a = StartNode(1);
  networks_.push_back(fabric_.AddHost("10.0.0.9", executor_));
  std::vector<std::unique_ptr<env::Connection>> silent;
  for (size_t i = 0; i < kMaxConnections + 20; ++i) {
    networks_.back()->Connect("10.0.0.1:7946", [&](auto connection) {
      ASSERT_TRUE(connection.ok());
      silent.push_back(*std::move(connection));
    });
  }
  executor_.RunFor(5 * kNsPerSecond);
  EXPECT_EQ(silent.size(), kMaxConnections + 20);
  EXPECT_EQ(a->counters().connections_refused, 20u);
  executor_.RunFor(10 * kNsPerSecond);
  EXPECT_EQ(a->counters().streams_failed, kMaxConnections);
  auto b = StartNode(2);
  EXPECT_TRUE(Join(*b, 1).ok());
}

TEST_F(GossipNodeTest, ANodeMayEndAtAnyTime) {
  auto a = StartNode(1);
  auto b = StartNode(2);
  b->With([&](Serf& serf) { serf.Join(Address::Parse("10.0.0.1:7946").value(), false, nullptr); });
  for (int steps = 0; steps < 20; ++steps) executor_.RunOne();
  a.reset();
  b.reset();
  executor_.RunFor(60 * kNsPerSecond);
}

}  // namespace
}  // namespace cairn::gossip
