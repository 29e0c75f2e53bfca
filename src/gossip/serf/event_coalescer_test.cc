#include "gossip/serf/event_coalescer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn::gossip {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Held back until nothing came for 2 of its units, for 10 at most; as "name:time payload".
class EventCoalescerTest : public testing::Test {
 protected:
  int64_t Add(const std::string& name, uint64_t time, const std::string& payload, int64_t now_ns) {
    return coalescer_.Add({time, name, payload, true}, now_ns);
  }
  std::vector<std::string> Flush(int64_t now_ns) {
    std::vector<std::string> texts;
    for (const UserEvent& event : coalescer_.Flush(now_ns)) {
      texts.push_back(event.name + ":" + std::to_string(event.time) + " " + event.payload);
    }
    return texts;
  }

  EventCoalescer coalescer_{10, 2};
};

TEST_F(EventCoalescerTest, OfOneNameTheNewestTimeWinsWhateverCameLast) {
  Add("deploy", 5, "v5", 0);
  Add("deploy", 7, "v7", 1);
  Add("deploy", 6, "late", 1);
  EXPECT_THAT(Flush(3), ElementsAre("deploy:7 v7"));
  EXPECT_THAT(Flush(100), IsEmpty());
}

TEST_F(EventCoalescerTest, OfOneTimeAllStay) {
  Add("deploy", 5, "a", 0);
  Add("deploy", 5, "b", 0);
  Add("restart", 4, "c", 0);
  EXPECT_EQ(coalescer_.names(), 2u);
  EXPECT_THAT(Flush(2), ElementsAre("deploy:5 a", "deploy:5 b", "restart:4 c"));
  EXPECT_EQ(coalescer_.names(), 0u);
}

TEST_F(EventCoalescerTest, HoldsBackUntilItIsQuiet) {
  EXPECT_EQ(Add("deploy", 1, "", 0), 2);
  EXPECT_THAT(Flush(1), IsEmpty());
  EXPECT_EQ(Add("deploy", 2, "", 1), 3);
  EXPECT_THAT(Flush(2), IsEmpty());
  EXPECT_THAT(Flush(3), ElementsAre("deploy:2 "));
}

TEST_F(EventCoalescerTest, ThatItNeverGetsQuietHoldsBackForThePeriodOnly) {
  for (int64_t now_ns = 0; now_ns < 10; ++now_ns) {
    EXPECT_LE(Add("deploy", static_cast<uint64_t>(now_ns) + 1, "", now_ns), 10);
    EXPECT_THAT(Flush(now_ns), IsEmpty());
  }
  EXPECT_THAT(Flush(10), ElementsAre("deploy:10 "));
  // What comes behind it begins a period of its own.
  EXPECT_EQ(Add("deploy", 11, "", 20), 22);
}

TEST_F(EventCoalescerTest, WithoutTimesItIsOff) {
  EXPECT_TRUE(coalescer_.enabled());
  EXPECT_FALSE(EventCoalescer(0, 2).enabled());
  EXPECT_FALSE(EventCoalescer(10, 0).enabled());
}

}  // namespace
}  // namespace cairn::gossip
