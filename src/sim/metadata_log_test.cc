// The log of group 0 is cut behind snapshots of the metadata, and who lacks its beginning gets one:
// whatever the disk does meanwhile, nobody ends with a log and without what stood before it.
#include <gtest/gtest.h>

#include <array>

#include "sim/sim_cluster_testing.h"

namespace cairn::sim {
namespace {

constexpr int64_t kFirstGraceMs = 100'000;
// Of which a snapshot is taken every few, and the log holds but the last.
constexpr int64_t kCommands = 100;

class MetadataLogTest : public SimClusterTest, public testing::WithParamInterface<uint64_t> {
 protected:
  MetadataLogTest() : SimClusterTest(GetParam()) {}

  // Each changes a setting, which tells how far a node has come.
  void Change(int64_t commands = kCommands) {
    for (int64_t i = 0; i < commands; ++i) {
      bool done = false;
      ASSERT_TRUE(RunUntil([&] {
        cluster_.machine(0).node().RunCommand(
            cluster::ChangeSettings{.default_replication_factor = {},
                                    .grace_ms = kFirstGraceMs + ++changes_,
                                    .controller_voters = {}},
            [&](const auto& result) { done |= result.ok(); });
        world_.fabric.RunFor(kSecond / 100);
        return done;
      }));
    }
  }
  // Away for long, and back on a disk of which so many calls in 1,000 fail, from now on.
  void FailWhileItCatchesUp(Machine& away, uint64_t permille) {
    away.Crash(true);
    ASSERT_NO_FATAL_FAILURE(Change());
    away.Boot();
    away.SetIoErrors(permille);
    world_.fabric.RunFor(2 * kSecond);
  }
  static int64_t GraceMs(Machine& machine) {
    return machine.node().metadata()->metadata.settings.grace_ms;
  }
  static Index FirstIndex(Machine& machine) {
    return machine.node().controller_replica()->log()->first_index();
  }
  bool KnowsAll(Machine& machine) {
    return machine.works() && machine.node().id() != NodeId() &&
           GraceMs(machine) == kFirstGraceMs + changes_;
  }

  int64_t changes_ = 0;
};

TEST_P(MetadataLogTest, WhoLacksItsBeginningGetsASnapshot) {
  Machine& away = cluster_.machine(2);
  away.Crash(true);
  const Index end = cluster_.machine(0).node().controller_replica()->log()->end_index();
  ASSERT_NO_FATAL_FAILURE(Change());
  ASSERT_GT(FirstIndex(cluster_.machine(0)), end) << "its log goes back to what the other has";
  away.Boot();
  ASSERT_TRUE(RunUntil([&] { return KnowsAll(away); }));
  EXPECT_GT(FirstIndex(away), end);
  // What it got is on its disk.
  for (size_t i = 0; i < 3; ++i) cluster_.machine(i).Crash(true);
  away.Boot();
  EXPECT_GE(GraceMs(away), kFirstGraceMs + 1);
  for (size_t i = 0; i < 2; ++i) cluster_.machine(i).Boot();
  EXPECT_TRUE(RunUntil([&] { return KnowsAll(away) && Settled(); })) << cluster_.Unsettled(false);
}

// Its log began behind the snapshot that its disk had not taken, and it never started again.
TEST_P(MetadataLogTest, ASnapshotThatTheDiskRefusesTakesNothingAway) {
  Machine& away = cluster_.machine(2);
  ASSERT_NO_FATAL_FAILURE(FailWhileItCatchesUp(away, 300));
  away.SetIoErrors(0);
  away.Crash(true);
  away.Boot();  // a finding when it cannot
  EXPECT_TRUE(RunUntil([&] { return KnowsAll(away) && Settled(); })) << cluster_.Unsettled(false);
}

// Without a restart, too.
TEST_P(MetadataLogTest, ASnapshotThatTheDiskRefusedComesAgain) {
  Machine& away = cluster_.machine(2);
  ASSERT_NO_FATAL_FAILURE(FailWhileItCatchesUp(away, 1'000));
  ASSERT_FALSE(KnowsAll(away) && FirstIndex(away) > Index(kCommands));
  away.SetIoErrors(0);
  EXPECT_TRUE(RunUntil([&] { return KnowsAll(away) && Settled(); })) << cluster_.Unsettled(false);
}

// The repair of its log dropped what nobody had any more, and left a log that began behind the
// metadata on its disk: it never started again.
TEST_P(MetadataLogTest, ADamagedBeginningThatOthersHaveCutGoesOnlyWithTheirMetadata) {
  Machine& rotten = cluster_.machine(2);
  constexpr std::array<uint64_t, 3> kPermille = {0, 300, 40};
  for (size_t i = 0; i < 18; ++i) {
    ASSERT_NO_FATAL_FAILURE(Change(30 + static_cast<int64_t>(i)));
    ASSERT_TRUE(RunUntil([&] { return Settled(); })) << cluster_.Unsettled(false);
    rotten.Rot(Machine::Rotting::kBeginning);
    rotten.Crash(true);
    ASSERT_NO_FATAL_FAILURE(Change(8));
    rotten.Boot();
    cluster_.history().LookAgain();  // somebody reads it
    rotten.SetIoErrors(kPermille[i % kPermille.size()]);
    world_.fabric.RunFor(3 * kSecond);
    rotten.SetIoErrors(0);
    cluster_.history().LookAgain();  // a log that was opened again has not been read
    ASSERT_TRUE(RunUntil([&] { return KnowsAll(rotten) && Settled(); }))
        << cluster_.Unsettled(false);
    // A file that the disk did not let go goes with the next ones.
    ASSERT_NO_FATAL_FAILURE(Change(20));
    ASSERT_TRUE(RunUntil([&] { return KnowsAll(rotten) && !rotten.RotRemains() && Settled(); }))
        << cluster_.Unsettled(false);
    rotten.Crash(true);
    rotten.Boot();  // a finding when it cannot
  }
  EXPECT_GT(rotten.flips(), 3U);
}

// Also the last entries, without which it is not known how far the log is committed, and the small
// files that no other node has.
TEST_P(MetadataLogTest, WhateverRotsIsMended) {
  Machine& rotten = cluster_.machine(2);
  for (int i = 0; i < 60; ++i) {
    ASSERT_NO_FATAL_FAILURE(Change(17));
    ASSERT_TRUE(RunUntil([&] { return Settled(); })) << cluster_.Unsettled(false);
    ASSERT_TRUE(rotten.Rot(Machine::Rotting::kAnything));
    rotten.Crash(true);
    rotten.Boot();
    cluster_.history().LookAgain();
    ASSERT_TRUE(RunUntil([&] { return KnowsAll(rotten) && !rotten.RotRemains() && Settled(); }))
        << cluster_.Unsettled(false);
  }
}

// It is damaged where it says which terms it holds: the node waits for its repair, and opens it
// then.
TEST_P(MetadataLogTest, ARepairedLogThatTheDiskDoesNotOpenIsTriedAgain) {
  Machine& rotten = cluster_.machine(2);
  bool waits = false;
  for (int i = 0; i < 40 && !waits; ++i) {
    ASSERT_NO_FATAL_FAILURE(Change(40));
    ASSERT_TRUE(RunUntil([&] { return Settled(); })) << cluster_.Unsettled(false);
    rotten.Rot(Machine::Rotting::kFirstEntry);
    rotten.Crash(true);
    rotten.Boot();
    waits = rotten.node().controller_replica() == nullptr;
    if (waits) rotten.FailNext(env::SimOp::kRead, "controller/log-start");
    cluster_.history().LookAgain();
    ASSERT_TRUE(RunUntil([&] { return KnowsAll(rotten) && !rotten.RotRemains() && Settled(); }))
        << cluster_.Unsettled(false);
  }
  EXPECT_TRUE(waits);
}

// Nothing is committed any more that would have it read again.
TEST_P(MetadataLogTest, WhatTheDiskDoesNotReadIsReadLater) {
  Machine& machine = cluster_.machine(2);
  const auto restart = [&] {
    ASSERT_NO_FATAL_FAILURE(Change(5));
    ASSERT_TRUE(RunUntil([&] { return Settled(); })) << cluster_.Unsettled(false);
    machine.Crash(true);
    machine.Boot();
  };
  const auto expect_all = [&] {
    ASSERT_TRUE(RunUntil([&] { return KnowsAll(machine) && Settled(); }))
        << cluster_.Unsettled(false);
  };
  for (int failures = 1; failures < 5; ++failures) {
    ASSERT_NO_FATAL_FAILURE(restart());
    for (int i = 0; i < failures; ++i) machine.FailNext(env::SimOp::kRead, "controller/");
    ASSERT_NO_FATAL_FAILURE(expect_all());
  }
  for (const uint64_t permille : {1'000, 700, 400}) {
    ASSERT_NO_FATAL_FAILURE(restart());
    machine.SetReadErrors(permille);
    world_.fabric.RunFor(5 * kSecond);
    machine.SetReadErrors(0);
    ASSERT_NO_FATAL_FAILURE(expect_all());
  }
}

// It had said that it belongs to the cluster, and took no part until it was started again.
TEST_P(MetadataLogTest, ADiskThatFailsWhileANodeJoinsIsTriedAgain) {
  Machine& replaced = cluster_.machine(2);
  ASSERT_NO_FATAL_FAILURE(Change());
  replaced.Wipe();
  replaced.Boot();
  replaced.SetIoErrors(GetParam() == 1 ? 1'000 : 300);
  world_.fabric.RunFor(15 * kSecond);
  replaced.SetIoErrors(0);
  EXPECT_TRUE(RunUntil([&] { return KnowsAll(replaced); }));
}
INSTANTIATE_TEST_SUITE_P(Seeds, MetadataLogTest, testing::Range<uint64_t>(1, 9));

}  // namespace
}  // namespace cairn::sim
