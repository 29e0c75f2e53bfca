// A started cluster of three, for tests that load it now and then and look at what became of the
// records.
#pragma once

#include <gtest/gtest.h>

#include "process/cluster_load.h"
#include "process/cluster_process.h"
#include "process/history.h"

namespace cairn::testing {

class ClusterFixture : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_NO_FATAL_FAILURE(cluster_.Start()); }

  // Some records, all acknowledged. Each call has producers of its own.
  void ProduceSome(size_t records = 200) {
    ClusterLoad load({.addresses = cluster_.addresses(), .first_producer = next_producer_},
                     history_);
    next_producer_ += 10;
    load.AwaitAcknowledged(records);
    load.Finish();
  }

  ClusterProcess cluster_;
  History history_;

 private:
  int next_producer_ = 0;
};

}  // namespace cairn::testing
