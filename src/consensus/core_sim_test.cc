// Whole groups of cores under random faults, and Ongaro's membership schedule.
#include "consensus/core_sim.h"

#include <gtest/gtest.h>

#include "consensus/core_sim_run.h"

namespace cairn::consensus {
namespace {

class CoreSimTest : public ::testing::TestWithParam<LinkMode> {};

INSTANTIATE_TEST_SUITE_P(Links, CoreSimTest, ::testing::Values(LinkMode::kFifo, LinkMode::kReorder),
                         [](const auto& mode) {
                           return mode.param == LinkMode::kFifo ? "Fifo" : "Reorder";
                         });

TEST_P(CoreSimTest, KeepsItsPromisesUnderRandomFaults) {
  constexpr uint64_t kSeeds = 300;
  CoreSim::Counts total;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const CoreRunResult result = RunCoreSim({.seed = seed, .link = GetParam()});
    ASSERT_EQ(result.failure, "") << "replay: core_sim --first " << seed << " --count 1 --link "
                                  << (GetParam() == LinkMode::kFifo ? "fifo" : "reorder");
    total.Add(result.counts);
  }
  // The seeds went where the faults are.
  EXPECT_GT(total.elections, kSeeds);
  EXPECT_GT(total.snapshots, kSeeds);
  EXPECT_GT(total.truncations, kSeeds / 2);
  EXPECT_GT(total.changes, kSeeds);
  EXPECT_GT(total.reads_served, kSeeds);
  EXPECT_GT(total.closed, kSeeds);
}

TEST_P(CoreSimTest, TheSameSeedIsTheSameHistory) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    const CoreRunOptions options{.seed = seed, .link = GetParam()};
    const uint64_t hash = RunCoreSim(options).trace_hash;
    EXPECT_EQ(RunCoreSim(options).trace_hash, hash) << seed;
    EXPECT_NE(RunCoreSim({.seed = seed + 1000, .link = GetParam()}).trace_hash, hash) << seed;
  }
}

}  // namespace
}  // namespace cairn::consensus
