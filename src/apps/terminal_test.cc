#include "apps/terminal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn::apps {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(TerminalTest, KnowsItsKeysInBothModesOfTheCursor) {
  std::string typed = "xjk\x1b[A\x1bOB\x1b[5~\x1b[6~ sq";
  EXPECT_THAT(TakeKeys(typed), ElementsAre(Key::kDown, Key::kUp, Key::kUp, Key::kDown, Key::kPageUp,
                                           Key::kPageDown, Key::kPageDown, Key::kSort, Key::kQuit));
  EXPECT_EQ(typed, "");
}

TEST(TerminalTest, AKeyMayComeInPieces) {
  std::string typed = "\x1b[";
  EXPECT_THAT(TakeKeys(typed), IsEmpty());
  typed += "6";
  EXPECT_THAT(TakeKeys(typed), IsEmpty());
  typed += "~";
  EXPECT_THAT(TakeKeys(typed), ElementsAre(Key::kPageDown));
  typed = "\x1b[99~q";
  EXPECT_THAT(TakeKeys(typed), ElementsAre(Key::kQuit));
}

}  // namespace
}  // namespace cairn::apps
