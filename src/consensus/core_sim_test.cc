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

// Each takes ten times as long under AddressSanitizer.
#if defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kSeeds = 50;
#else
constexpr uint64_t kSeeds = 300;
#endif

TEST_P(CoreSimTest, KeepsItsPromisesUnderRandomFaults) {
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
  EXPECT_GT(total.departures, kSeeds / 4);
}

// Node 1 formed the group alone, moved out, forgot everything, and is taken in again; it stops when
// its log has no more than its own first configuration. Returns the violation.
std::string LeavesAndComesBack(LinkMode link, bool remembers) {
  CoreSim sim({.link = link, .remember_departures = remembers});
  sim.Boot(Configuration::OfVoters({NodeId(1)}));
  CoreSim::Node& first = sim.node(1);
  CoreSim::Node& second = sim.node(2);
  const auto change = [&](CoreSim::Node& leader, const Configuration& to) {
    EXPECT_TRUE(sim.RunUntil(10'000, [&] { return sim.Change(leader, to).ok(); }));
    EXPECT_TRUE(sim.RunUntil(10'000, [&] { return leader.core->configuration_committed(); }));
  };
  EXPECT_TRUE(sim.RunUntil(10'000, [&] { return first.leads(); }));
  const Configuration alone = first.core->configuration();
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(sim.Propose(first, 100).ok());
  change(first, alone.With(second.id, MemberRole::kStandby));
  change(first, alone.With(second.id, MemberRole::kVoter));
  EXPECT_TRUE(sim.Transfer(first, second.id).ok());
  EXPECT_TRUE(sim.RunUntil(10'000, [&] { return second.leads() && !first.leads(); }));
  const Configuration others = Configuration::OfVoters({second.id});
  change(second, others);
  EXPECT_TRUE(sim.Propose(second, 100).ok());
  EXPECT_TRUE(sim.RunUntil(10'000, [&] { return second.applied == second.log.last_index(); }));

  sim.Depart(first, second.core->term(), second.applied);
  sim.Start(first);
  sim.SetDrop([&](NodeId, NodeId to, const Message& message) {
    const auto* append = std::get_if<AppendEntries>(&message);
    return to == first.id && append != nullptr && append->prev_index > Index(500) &&
           append->prev_index < Index(1'000);  // others ask how long its log is
  });
  change(second, others.With(first.id, MemberRole::kStandby));
  EXPECT_TRUE(sim.RunUntil(10'000, [&] { return first.disk.last_index() > Index(1); }));
  sim.Crash(first);
  sim.Start(first);
  sim.RunUntil(5'000, [&] { return first.leads() && sim.Propose(first).ok(); });
  sim.SetDrop(nullptr);
  sim.Run(5'000);
  if (!sim.violation().empty()) return sim.violation();
  change(second, others.With(first.id, MemberRole::kVoter));
  EXPECT_TRUE(sim.RunUntil(10'000, [&] { return first.applied == second.applied; }));
  return sim.violation();
}

TEST_P(CoreSimTest, WhoForgotWhatItPromisedHasToKnowThat) {
  EXPECT_EQ(LeavesAndComesBack(GetParam(), true), "");
  EXPECT_NE(LeavesAndComesBack(GetParam(), false), "");
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
