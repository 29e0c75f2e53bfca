// Seeds that are run for ever: a spread over the fault kinds, those that found something, and one
// twice.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "sim/sim_cluster.h"
#include "sim/sim_run.h"

namespace cairn::sim {
namespace {

SimOptions Options(uint64_t seed, const std::string& faults, int64_t duration_ms = 20'000) {
  SimOptions options;
  options.seed = seed;
  options.duration_ms = duration_ms;
  options.faults = FaultSet::Parse(faults).value();
  return options;
}

void ExpectNothing(const SimOptions& options) {
  const SimResult result = RunSim(options);
  EXPECT_EQ(result.finding, "") << "replay: " << ReplayCommand(options);
  EXPECT_GT(result.acknowledged, 0U);
}

TEST(SimTest, ServesWithoutFaults) { ExpectNothing(Options(1, "none")); }

TEST(SimTest, SurvivesEachKindOfFault) {
  for (size_t i = 0; i < kFaults; ++i) {
    ExpectNothing(Options(100 + i, std::string(ToString(static_cast<Fault>(i)))));
  }
}

// Bits flip while nodes crash and follow others: in the end none is left, and no log is damaged.
TEST(SimTest, WhatRotsIsRepaired) {
  uint64_t flips = 0;
  uint64_t repairs = 0;
  for (uint64_t seed = 300; seed < 304; ++seed) {
    const SimOptions options = Options(seed, seed % 2 == 0 ? "rot" : "rot,crash", 70'000);
    const SimResult result = RunSim(options);
    EXPECT_EQ(result.finding, "") << "replay: " << ReplayCommand(options);
    flips += result.flips;
    repairs += result.repairs;
  }
  EXPECT_GT(flips, 3U);
  EXPECT_GT(repairs, 3U);
}

TEST(SimTest, SurvivesAllFaultsTogether) {
  for (uint64_t seed = 1; seed <= 8; ++seed) ExpectNothing(Options(seed, "all"));
}

// A follower whose cut failed, with its disk, showed what it should have cut: what it knew of the
// commit was more than it had.
TEST(SimTest, ACutThatFailedShowsNothingThatWasNotCommitted) {
  ExpectNothing(Options(6, "all", 380'000));
}

// A follower whose log was about to be replaced by a snapshot, on a slow disk, showed the new high
// watermark over the old log: readers in between were given nothing.
TEST(SimTest, ASnapshotShowsNothingBeforeTheDiskHasIt) {
  ExpectNothing(Options(113, "all", 480'000));
}

// A snapshot that the disk could not take in had already taken the place of the configuration that
// the log here began with.
TEST(SimTest, ASnapshotThatTheDiskRefusedTakesNothingAway) {
  ExpectNothing(Options(127, "all", 160'000));
}

// A replica that its group had let go and taken in again was stopped when its log had no more than
// the first configuration, in which it was the only voter: it elected itself.
TEST(SimTest, WhoWasLetGoDoesNotLeadByAConfigurationOfLongAgo) {
  ExpectNothing(Options(215, "all", 240'000));
}

// Seed 111 of ten minutes hung: the power went while a node started, which kept it from starting,
// and its blocking stop waited for what nobody ran any more.
TEST(SimTest, ANodeStartsAgainWhereverInItsStartThePowerWent) {
  uint64_t cuts = 0;
  bool cut = true;
  for (uint64_t mutations = 1; cut; ++mutations) {
    World world(mutations, false);
    SimCluster cluster(world, 1);
    Machine& machine = cluster.machine(0);
    machine.CrashAt(mutations);
    machine.Boot();
    cut = !machine.up();
    machine.CrashAt(0);
    machine.Boot();
    for (int i = 0; i < 100 && !cluster.Unsettled(false).empty(); ++i) world.fabric.RunFor(kSecond);
    EXPECT_EQ(cluster.Unsettled(false), "") << "cut at mutation " << mutations;
    EXPECT_EQ(world.finding(), "") << "cut at mutation " << mutations;
    cuts += cut ? 1 : 0;
  }
  EXPECT_GT(cuts, 10U);
}

TEST(SimTest, TheSameSeedGivesTheSameHistory) {
  const SimOptions options = Options(7, "all");
  const SimResult first = RunSim(options);
  const SimResult second = RunSim(options);
  EXPECT_EQ(first.trace_hash, second.trace_hash);
  EXPECT_EQ(first.commits, second.commits);
  EXPECT_NE(first.trace_hash, RunSim(Options(8, "all")).trace_hash);
}

TEST(SimTest, NamesOfFaultsAreReadBack) {
  for (const char* text : {"all", "none", "crash", "crash,cut"}) {
    EXPECT_EQ(FaultSet::Parse(text).value().ToString(), text);
  }
  EXPECT_FALSE(FaultSet::Parse("earthquake").ok());
}

}  // namespace
}  // namespace cairn::sim
