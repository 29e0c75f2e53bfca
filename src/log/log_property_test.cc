// The log against a naive model: whatever is done to it, it holds what a vector of entries would.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "log/log_model_testing.h"

namespace cairn::log {
namespace {

RC_GTEST_PROP(LogPropertyTest, HoldsWhatAVectorWouldHold, ()) {
  const auto seed = *rc::gen::arbitrary<uint64_t>();
  const auto steps = *rc::gen::inRange(1, 120);
  env::SimFileSystem fs(seed);
  LogUnderTest test(fs, seed);
  for (int i = 0; i < steps; ++i) {
    test.Step();
    RC_ASSERT(Compare(test.log(), test.expected()) == "");
    RC_ASSERT(!::testing::Test::HasFailure());
  }
}

}  // namespace
}  // namespace cairn::log
