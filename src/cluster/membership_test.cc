#include "cluster/membership.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/strings.h"
#include "env/sim_clock.h"
#include "env/sim_executor.h"
#include "env/sim_file_system.h"
#include "env/sim_network.h"
#include "env/sim_random.h"

namespace cairn::cluster {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr int64_t kSecond = 1'000'000'000;

// Nodes that are in no cluster yet, over the simulated network.
class MembershipTest : public testing::Test {
 protected:
  std::shared_ptr<Membership> Start(int host, std::vector<std::string> join_addresses,
                                    std::vector<std::string> keys = {}) {
    const std::string ip = base::StrCat("10.0.0.", host);
    networks_.push_back(fabric_.AddHost(ip, executor_));
    Membership::Dependencies with;
    with.fs = &fs_;
    with.clock = &clock_;
    with.random = &random_;
    with.network = networks_.back().get();
    with.executor = &executor_;
    with.files = &executor_;
    with.resolve = [](const std::string& name) -> absl::StatusOr<std::vector<std::string>> {
      if (name == "first.test") return std::vector<std::string>{"10.0.0.250", "10.0.0.1"};
      return absl::NotFoundError(base::StrCat("no host ", name));
    };
    MembershipOptions options;
    options.bind_address = ip + ":8401";
    options.description = {
        .name = base::StrCat("n", host), .rpc_address = ip + ":8400", .rack = "r1", .version = "1"};
    options.join_addresses = std::move(join_addresses);
    options.keys = std::move(keys);
    auto membership = Membership::Start(std::move(with), std::move(options));
    EXPECT_TRUE(membership.ok()) << membership.status();
    all_.push_back(*membership);
    return *membership;
  }
  void TearDown() override {
    int ended = 0;
    for (const auto& membership : all_) membership->Stop([&] { ++ended; });
    executor_.RunFor(kSecond);
    EXPECT_EQ(ended, static_cast<int>(all_.size()));
  }
  std::vector<std::string> Alive(Membership& membership) {
    std::vector<std::string> names;
    membership.List([&](absl::StatusOr<std::vector<GossipMember>> members) {
      for (const GossipMember& member : *members) {
        if (member.status == gossip::MemberStatus::kAlive) names.push_back(member.name);
      }
    });
    executor_.RunFor(kSecond / 1000);
    return names;
  }

  env::SimClock clock_;
  env::SimExecutor executor_{clock_};
  env::SimRandom random_{1};
  env::SimNetwork fabric_{clock_, executor_, random_};
  env::SimFileSystem fs_{1};
  std::vector<std::unique_ptr<env::Network>> networks_;
  std::vector<std::shared_ptr<Membership>> all_;
};

TEST_F(MembershipTest, NodesFindEachOtherThroughANameOfWhichOneAddressAnswers) {
  const auto first = Start(1, {});
  const auto second = Start(2, {"first.test:8401"});
  const auto third = Start(3, {"10.0.0.2:8401"});
  executor_.RunFor(60 * kSecond);
  for (const auto& membership : {first, second, third}) {
    EXPECT_THAT(Alive(*membership), ElementsAre("n1", "n2", "n3"));
    // None of them is in a cluster: none can let another in.
    EXPECT_THAT(membership->JoinCandidates(), IsEmpty());
  }
}

TEST_F(MembershipTest, ANodeThatStartsLaterIsFoundByThoseThatWait) {
  const auto second = Start(2, {"10.0.0.1:8401"});
  executor_.RunFor(60 * kSecond);
  // Gossip does not answer there: perhaps RPC does.
  EXPECT_THAT(second->JoinCandidates(), ElementsAre("10.0.0.1:8401"));
  Start(1, {});
  executor_.RunFor(60 * kSecond);
  EXPECT_THAT(Alive(*second), ElementsAre("n1", "n2"));
  EXPECT_THAT(second->JoinCandidates(), IsEmpty());
}

TEST_F(MembershipTest, ANodeWithAnotherKeyStaysOutside) {
  const auto first = Start(1, {}, {std::string(32, 'a')});
  const auto second = Start(2, {"10.0.0.1:8401"}, {std::string(32, 'b')});
  executor_.RunFor(60 * kSecond);
  EXPECT_THAT(Alive(*first), ElementsAre("n1"));
  EXPECT_THAT(Alive(*second), ElementsAre("n2"));
}

TEST_F(MembershipTest, WhoLeavesIsSeenToHaveLeft) {
  const auto first = Start(1, {});
  const auto second = Start(2, {"10.0.0.1:8401"});
  executor_.RunFor(10 * kSecond);
  bool left = false;
  second->Leave([&] { left = true; });
  executor_.RunFor(3 * kSecond);
  EXPECT_TRUE(left);
  EXPECT_THAT(Alive(*first), ElementsAre("n1"));
  // Alone, there is nobody to wait for.
  left = false;
  first->Leave([&] { left = true; });
  executor_.RunFor(kSecond / 10);
  EXPECT_TRUE(left);
}

}  // namespace
}  // namespace cairn::cluster
