#include "env/sim_executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "env/sim_clock.h"
#include "env/sim_random.h"
#include "env/sim_thread.h"

namespace cairn::env {
namespace {

using testing::ElementsAre;

class SimExecutorTest : public testing::Test {
 protected:
  Executor::Task Note(const std::string& what) {
    return [this, what] { notes_.push_back(what + "@" + std::to_string(clock_.MonotonicNs())); };
  }

  SimClock clock_;
  SimExecutor executor_{clock_};
  std::vector<std::string> notes_;
};

TEST_F(SimExecutorTest, RunsNothingByItself) {
  executor_.Post(Note("a"));
  EXPECT_TRUE(notes_.empty());
  executor_.RunUntilIdle();
  EXPECT_THAT(notes_, ElementsAre("a@0"));
}

TEST_F(SimExecutorTest, EveryTimerRunsAtItsOwnTime) {
  executor_.PostAfter(30, Note("late"));
  executor_.PostAfter(10, Note("early"));
  executor_.PostAfter(10, Note("early too"));
  executor_.PostAfter(0, Note("now"));
  executor_.Post(Note("task"));
  executor_.RunFor(30);
  EXPECT_THAT(notes_, ElementsAre("task@0", "now@0", "early@10", "early too@10", "late@30"));
  EXPECT_EQ(clock_.MonotonicNs(), 30);
}

TEST_F(SimExecutorTest, StopsBeforeWhatIsLater) {
  executor_.PostAfter(31, Note("later"));
  executor_.RunFor(30);
  EXPECT_TRUE(notes_.empty());
  executor_.RunFor(1);
  EXPECT_THAT(notes_, ElementsAre("later@31"));
}

TEST_F(SimExecutorTest, TasksOfATimerRunBeforeTheNextTimer) {
  executor_.PostAfter(10, [this] { executor_.Post(Note("posted")); });
  executor_.PostAfter(10, Note("second"));
  executor_.RunFor(10);
  EXPECT_THAT(notes_, ElementsAre("posted@10", "second@10"));
}

TEST_F(SimExecutorTest, APeriodicTimerKeepsItsPeriod) {
  std::function<void()> tick = [&] {
    Note("tick")();
    executor_.PostAfter(10, tick);
  };
  executor_.PostAfter(10, tick);
  executor_.RunFor(35);
  EXPECT_THAT(notes_, ElementsAre("tick@10", "tick@20", "tick@30"));
}

TEST_F(SimExecutorTest, ACancelledTimerDoesNotRun) {
  Executor::TimerId victim = 0;
  executor_.PostAfter(10, [&] { executor_.Cancel(victim); });
  victim = executor_.PostAfter(10, Note("victim"));
  executor_.Cancel(executor_.PostAfter(5, Note("other")));
  executor_.RunFor(100);
  EXPECT_TRUE(notes_.empty());
  executor_.Cancel(victim);
}

TEST_F(SimExecutorTest, DropsWhatHasNotRun) {
  auto held = std::make_shared<int>();
  const std::weak_ptr<int> watch = held;
  {
    SimExecutor executor(clock_);
    executor.Post([held] { ADD_FAILURE(); });
    executor.PostAfter(1, [held = std::move(held)] { ADD_FAILURE(); });
  }
  EXPECT_TRUE(watch.expired());
}

TEST(SimExecutorDeathTest, TasksThatPostForEverAreABug) {
  SimClock clock;
  SimExecutor executor(clock);
  std::function<void()> again = [&] { executor.Post([&] { again(); }); };
  again();
  EXPECT_DEATH(executor.RunUntilIdle(), "post each other for ever");
}

TEST(SimThreadTest, ATaskRunsBeforeOrAfterThePosterGoesOnAndAlwaysInOrder) {
  SimClock clock;
  SimExecutor executor(clock);
  SimRandom random(1);
  SimThread thread(executor, random);
  int at_once = 0;
  int done = 0;
  for (int i = 0; i < 100; ++i) {
    executor.Post([&, i] {
      thread.Post([&, i] { EXPECT_EQ(done++, i); });
      if (done == i + 1) ++at_once;
    });
  }
  executor.RunUntilIdle();
  EXPECT_EQ(done, 100);
  EXPECT_GT(at_once, 10);
  EXPECT_LT(at_once, 90);
}

TEST(SimThreadTest, ItsOwnTasksDoNotNest) {
  SimClock clock;
  SimExecutor executor(clock);
  SimRandom random(1);
  SimThread thread(executor, random);
  bool outer = false;
  int inner = 0;
  for (int i = 0; i < 100; ++i) {
    thread.Post([&] {
      outer = true;
      thread.Post([&] {
        EXPECT_FALSE(outer);
        ++inner;
      });
      outer = false;
    });
  }
  executor.RunUntilIdle();
  EXPECT_EQ(inner, 100);
}

TEST(SimClockTest, OnlyTheWallClockSteps) {
  SimClock clock;
  const int64_t start_ms = clock.WallMs();
  clock.Advance(5'000'000);
  EXPECT_EQ(clock.WallMs(), start_ms + 5);
  clock.SetWallMs(1000);
  EXPECT_EQ(clock.WallMs(), 1000);
  EXPECT_EQ(clock.MonotonicNs(), 5'000'000);
  clock.Advance(1'000'000);
  EXPECT_EQ(clock.WallMs(), 1001);
}

// The reference values of the published generator for seed 1234567.
TEST(SimRandomTest, IsSplitMix64) {
  SimRandom random(1234567);
  EXPECT_EQ(random.Next(), 6457827717110365317u);
  EXPECT_EQ(random.Next(), 3203168211198807973u);
  EXPECT_EQ(random.Next(), 9817491932198370423u);
}

}  // namespace
}  // namespace cairn::env
