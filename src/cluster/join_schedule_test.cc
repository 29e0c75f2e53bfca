#include "cluster/join_schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "env/posix.h"

namespace cairn::cluster {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(JoinScheduleTest, TriesEachAddressAndAgainAfterAPauseThatGrowsToALimit) {
  JoinSchedule joins(env::SystemRandom());
  const std::set<std::string> wanted = {"a:1", "b:1"};
  EXPECT_THAT(joins.TakeDue(wanted, 0), ElementsAre("a:1", "b:1"));
  EXPECT_THAT(joins.TakeDue(wanted, 0), IsEmpty());  // both are under way
  int64_t now_ns = 0;
  for (int i = 0; i < 50; ++i) {
    joins.Answered("a:1", "refused", now_ns);
    EXPECT_THAT(joins.TakeDue(wanted, now_ns + JoinSchedule::kFirstPauseNs / 2 - 1), IsEmpty());
    now_ns += JoinSchedule::kLongestPauseNs;
    EXPECT_THAT(joins.TakeDue(wanted, now_ns), ElementsAre("a:1"));
  }
  EXPECT_EQ(joins.ErrorOf("a:1"), "refused");
  EXPECT_EQ(joins.ErrorOf("b:1"), "");
}

TEST(JoinScheduleTest, ForgetsWhatIsNoLongerWantedAndBeginsAnew) {
  JoinSchedule joins(env::SystemRandom());
  ASSERT_THAT(joins.TakeDue({"a:1"}, 0), ElementsAre("a:1"));
  joins.Answered("a:1", "refused", 0);
  EXPECT_THAT(joins.TakeDue({}, 0), IsEmpty());
  EXPECT_EQ(joins.ErrorOf("a:1"), "");
  EXPECT_THAT(joins.TakeDue({"a:1"}, 0), ElementsAre("a:1"));
}

TEST(JoinScheduleTest, HasAFewAttemptsUnderWayAtMost) {
  JoinSchedule joins(env::SystemRandom());
  std::set<std::string> wanted;
  for (int i = 0; i < 100; ++i) wanted.insert("a:" + std::to_string(i));
  EXPECT_EQ(joins.TakeDue(wanted, 0).size(), JoinSchedule::kMaxAtOnce);
}

}  // namespace
}  // namespace cairn::cluster
