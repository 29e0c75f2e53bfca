// A few machines, told what befalls them step by step: for what seeds meet too seldom.
#pragma once

#include <gtest/gtest.h>

#include <functional>

#include "sim/sim_cluster.h"

namespace cairn::sim {

class SimClusterTest : public testing::Test {
 protected:
  explicit SimClusterTest(uint64_t seed = 1) : world_(seed, false) {}

  void SetUp() override {
    for (size_t i = 0; i < 3; ++i) cluster_.machine(i).Boot();
    cluster_.StartLooking();
    ASSERT_TRUE(RunUntil([&] { return Settled(); }));
  }
  void TearDown() override { EXPECT_EQ(world_.finding(), ""); }

  // For 20 simulated seconds at most.
  bool RunUntil(const std::function<bool()>& done) {
    for (int i = 0; i < 2'000 && !done(); ++i) world_.fabric.RunFor(kSecond / 100);
    return done();
  }
  bool Settled() { return cluster_.Unsettled(false).empty(); }

  World world_;
  SimCluster cluster_{world_, 3};
};

}  // namespace cairn::sim
