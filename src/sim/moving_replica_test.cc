// A replica that is to move to another node stays until its group has let it go: through restarts,
// and whatever its disk does meanwhile.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cluster/group_id.h"
#include "sim/sim_cluster_testing.h"

namespace cairn::sim {
namespace {

// Not of the shard whose disk the controller writes to: its tasks are not in line with those.
constexpr int32_t kPartition = 1;

// Three machines, and a partition with a replica on two of them.
class MovingReplicaTest : public SimClusterTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(SimClusterTest::SetUp());
    size_t controllers = 0;  // of three voters any may go
    ASSERT_TRUE(RunUntil([&] {
      cluster_.machine(0).node().Report([&](const absl::StatusOr<cluster::ClusterReport>& report) {
        if (!report.ok() || !report->groups.contains(cluster::kControllerGroup)) return;
        controllers = report->groups.at(cluster::kControllerGroup).configuration.voter_count();
      });
      return controllers == 3;
    }));
    cluster_.machine(0).node().CreateTopic("t", 2, 2, {}, [](const auto&) {});
    ASSERT_TRUE(RunUntil([&] { return topic() != nullptr && Settled(); }));
    group_ = topic()->group(kPartition);
    const std::vector<NodeId> replicas = topic()->partitions[kPartition].replicas;
    ASSERT_EQ(replicas.size(), 2U);
    for (const int32_t id : {1, 2, 3}) ids_[MachineOf(NodeId(id))] = NodeId(id);
    stays_ = MachineOf(replicas[0]);
    leaves_ = MachineOf(replicas[1]);
    comes_ = MachineOf(NodeId(6 - replicas[0].value() - replicas[1].value()));
  }

  Machine* MachineOf(NodeId node) { return &cluster_.machine(*cluster_.MachineOf(node)); }
  const cluster::Topic* topic() { return cluster_.Metadata()->metadata.FindTopic("t"); }

  // Tells the controller, wherever it is, who is to have the partition beside the one that stays.
  void Give(const Machine* other) {
    const NodeId node = ids_.at(other);
    ASSERT_TRUE(RunUntil([&] {
      if (topic()->partitions[kPartition].replicas.back() == node) return true;
      stays_->node().RunCommand(
          cluster::SetReplicas{topic()->number, PartitionId(kPartition), {ids_.at(stays_), node}},
          [](const auto&) {});
      return false;
    }));
  }

  // As with the node that is to have the partition down: the group cannot let the old one go.
  void GiveToOneThatIsDown() {
    comes_->Crash(true);
    Give(comes_);
  }

  // Until the group has let the old one go, and that one does not know it yet.
  void GiveAndLetGo() {
    Give(comes_);
    ASSERT_TRUE(RunUntil([&] {
      const auto hosted = stays_->node().host().Find(group_);
      return !hosted->replica->Status().configuration.Contains(ids_.at(leaves_));
    }));
    ASSERT_NE(Leaving(), nullptr);
  }

  std::shared_ptr<const broker::HostedReplica> Leaving() {
    return leaves_->node().host().Find(group_);
  }
  bool LeavingTakesPart() {
    const auto hosted = Leaving();
    return hosted != nullptr && hosted->replica != nullptr && hosted->replica->leader() != NodeId();
  }
  bool LeavingIsOnDisk() { return leaves_->node().host().Holds(group_); }

  GroupId group_;
  Machine* stays_ = nullptr;
  Machine* leaves_ = nullptr;
  Machine* comes_ = nullptr;
  std::map<const Machine*, NodeId> ids_;
};

// Seed 251 of ten minutes: it was still a voter, and was not opened after a restart. Its group had
// no majority any more.
TEST_F(MovingReplicaTest, VotesAfterARestartUntilItsGroupLetsItGo) {
  GiveToOneThatIsDown();
  leaves_->Crash(true);
  leaves_->Boot();
  EXPECT_TRUE(RunUntil([&] { return LeavingTakesPart(); })) << "the group has no leader";
  comes_->Boot();
  EXPECT_TRUE(RunUntil([&] { return !LeavingIsOnDisk(); })) << "it was let go and is still there";
  EXPECT_TRUE(RunUntil([&] { return Settled(); })) << cluster_.Unsettled(false);
}

TEST_F(MovingReplicaTest, IsOpenedAgainWhenItsDiskRecovers) {
  GiveToOneThatIsDown();
  leaves_->Crash(true);
  leaves_->Boot();
  leaves_->SetIoErrors(1'000);
  ASSERT_TRUE(RunUntil([&] { return Leaving() != nullptr; }));
  ASSERT_EQ(Leaving()->replica, nullptr) << "the disk did not keep it from being opened";
  world_.fabric.RunFor(5 * kSecond);
  leaves_->SetIoErrors(0);
  EXPECT_TRUE(RunUntil([&] { return LeavingTakesPart(); })) << "the group has no leader";
}

TEST_F(MovingReplicaTest, IsRemovedWhenItsDiskRecovers) {
  GiveAndLetGo();
  leaves_->SetIoErrors(1'000);
  ASSERT_TRUE(RunUntil([&] { return Leaving() == nullptr; }));
  world_.fabric.RunFor(5 * kSecond);
  EXPECT_TRUE(LeavingIsOnDisk());
  leaves_->SetIoErrors(0);
  EXPECT_TRUE(RunUntil([&] { return !LeavingIsOnDisk(); }));
  EXPECT_TRUE(RunUntil([&] { return Settled(); })) << cluster_.Unsettled(false);
}

// What takes part again must not be what is being removed: it is wanted again as soon as it was
// closed, on a disk whose tasks take so many tenths of a second.
class MovingReplicaRaceTest : public MovingReplicaTest, public testing::WithParamInterface<int> {};

TEST_P(MovingReplicaRaceTest, IsThereWhenItIsWantedAgain) {
  GiveAndLetGo();
  leaves_->SetDiskLatency(GetParam() * kSecond / 10);
  ASSERT_TRUE(RunUntil([&] { return Leaving() == nullptr; }));
  Give(leaves_);
  world_.fabric.RunFor(10 * kSecond);
  leaves_->SetDiskLatency(kUsualDiskNs);
  EXPECT_TRUE(RunUntil([&] { return LeavingTakesPart() && Settled(); }))
      << cluster_.Unsettled(false);
  EXPECT_TRUE(LeavingIsOnDisk());
}
INSTANTIATE_TEST_SUITE_P(SlowDisks, MovingReplicaRaceTest, testing::Range(1, 20));

}  // namespace
}  // namespace cairn::sim
