// A cluster under load whose processes are killed, paused and restarted: nothing that was
// acknowledged is lost, doubled or reordered, on any replica.

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>

#include "process/cluster_load.h"
#include "process/cluster_process.h"
#include "process/node_client.h"

namespace cairn::testing {
namespace {

// Enough that every producer has been through it.
constexpr size_t kSome = 200;

class ClusterKillTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_NO_FATAL_FAILURE(cluster_.Start()); }

  ClusterProcess cluster_;
  History history_;
};

TEST_F(ClusterKillTest, LosesNothingWhenTheLeaderIsKilledAgainAndAgain) {
  ClusterLoad load({.addresses = cluster_.addresses()}, history_);
  for (int round = 0; round < 5 && !HasFailure(); ++round) {
    load.AwaitAcknowledged(kSome);
    const size_t leader = cluster_.AwaitLeader();
    cluster_.Kill(leader);
    load.AwaitAcknowledged(kSome);  // the other two go on
    cluster_.Restart(leader);
  }
  load.AwaitAcknowledged(kSome);
  load.Finish();
  cluster_.ExpectConsistent(history_);
}

TEST_F(ClusterKillTest, GoesOnWhileFollowersAreKilled) {
  ClusterLoad load({.addresses = cluster_.addresses()}, history_);
  for (int round = 0; round < 4 && !HasFailure(); ++round) {
    const size_t leader = cluster_.AwaitLeader();
    const size_t follower = (leader + 1 + static_cast<size_t>(round) % 2) % cluster_.size();
    load.AwaitAcknowledged(kSome);
    cluster_.Kill(follower);
    load.AwaitAcknowledged(kSome);
    cluster_.Restart(follower);
  }
  load.Finish();
  cluster_.ExpectConsistent(history_);
}

TEST_F(ClusterKillTest, LosesNothingWhenAllAreKilledAtOnce) {
  ClusterLoad load({.addresses = cluster_.addresses()}, history_);
  for (int round = 0; round < 3 && !HasFailure(); ++round) {
    load.AwaitAcknowledged(kSome);
    for (size_t node = 0; node < cluster_.size(); ++node) cluster_.node(node).Signal(SIGKILL);
    for (size_t node = 0; node < cluster_.size(); ++node) cluster_.Kill(node);
    for (size_t node = 0; node < cluster_.size(); ++node) cluster_.Restart(node);
  }
  load.AwaitAcknowledged(kSome);
  load.Finish();
  cluster_.ExpectConsistent(history_);
}

TEST_F(ClusterKillTest, ALeaderThatWasPausedAcknowledgesNothingOfItsOwnAfterwards) {
  ClusterLoad load({.addresses = cluster_.addresses()}, history_);
  for (int round = 0; round < 2 && !HasFailure(); ++round) {
    load.AwaitAcknowledged(kSome);
    const size_t leader = cluster_.AwaitLeader();
    cluster_.Pause(leader);
    const size_t next = cluster_.AwaitLeader({leader});  // beyond the election timeout
    EXPECT_NE(next, leader);
    load.AwaitAcknowledged(kSome);
    cluster_.Resume(leader);
    load.AwaitAcknowledged(kSome);
  }
  load.Finish();
  cluster_.ExpectConsistent(history_);
}

TEST_F(ClusterKillTest, ARollingRestartLosesNothing) {
  ClusterLoad load({.addresses = cluster_.addresses()}, history_);
  for (size_t node = 0; node < cluster_.size() && !HasFailure(); ++node) {
    load.AwaitAcknowledged(kSome);
    cluster_.Terminate(node);
    load.AwaitAcknowledged(kSome);
    cluster_.Restart(node);
  }
  load.AwaitAcknowledged(kSome);
  load.Finish();
  cluster_.ExpectConsistent(history_);
}

TEST_F(ClusterKillTest, ALeaderThatIsToldToStopHandsOver) {
  ClusterLoad load({.addresses = cluster_.addresses()}, history_);
  load.AwaitAcknowledged(kSome);
  const size_t leader = cluster_.AwaitLeader();
  cluster_.Terminate(leader);
  // It says so only when somebody else has begun: nobody waits for an election.
  const size_t next = cluster_.AwaitLeader();
  EXPECT_NE(next, leader);
  cluster_.Restart(leader);
  load.Finish();
  cluster_.ExpectConsistent(history_);
}

TEST_F(ClusterKillTest, AMinorityRefusesWritesAndServesWhatItKnows) {
  {
    ClusterLoad load({.addresses = cluster_.addresses()}, history_);
    load.AwaitAcknowledged(kSome);
    load.Finish();
  }
  const std::vector<ReplicaContent> before = cluster_.ReadReplicas();
  const size_t leader = cluster_.AwaitLeader();
  const size_t follower = cluster_.OtherThan(leader);
  const size_t third = cluster_.OtherThan(follower);
  logapi::v1::ProduceRequest request;
  request.mutable_record()->set_value("refused");
  const auto expect_minority = [&](size_t node) {
    NodeClient client(cluster_.node(node).address());
    const auto answer = client.Produce(request, std::chrono::seconds(20));
    EXPECT_EQ(answer.status().code(), absl::StatusCode::kUnavailable) << answer.status();
    const auto read = client.ReadAll(cluster_.NameOf(node), "default");
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->records, before.front().records);
  };
  // The leader alone: it steps down when nobody follows.
  cluster_.Kill(follower);
  cluster_.Kill(third);
  expect_minority(leader);
  cluster_.Restart(follower);
  // A majority again.
  {
    ClusterLoad load({.addresses = cluster_.addresses(), .first_producer = 10}, history_);
    load.AwaitAcknowledged(kSome);
    load.Finish();
  }
  cluster_.Restart(third);
  const std::vector<ReplicaContent> after = cluster_.ReadReplicas();
  // What was refused may have been stored, but then before all that came later, and everywhere.
  ASSERT_FALSE(after.empty());
  size_t refused = 0;
  for (const auto& [offset, value] : after.front().records) refused += value == "refused" ? 1 : 0;
  EXPECT_LE(refused, 1u);
}

}  // namespace
}  // namespace cairn::testing
