#include "apps/top_screen.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "apps/cluster_view_testing.h"

namespace cairn::apps {
namespace {

using testing::Each;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

ClusterView View() {
  const ClusterSample before = SampleAt(1);
  return MakeView(&before, SampleAt(3));
}

std::string Text(const Screen& screen) {
  std::string text = "\n";
  for (const std::string& line : screen.lines) text += line + "\n";
  return text;
}

TEST(TopScreenTest, LooksLikeThisIn80Columns) {
  EXPECT_EQ(Text(Draw(View(), {.width = 80})), R"(
10:00:03Z  1 of 3 nodes ready  controller 2  cluster 0f6e3a52-7c1d-4f0a-9a7e-3a~
3 partitions, 2 under-replicated   in 1.00 k rec/s, 200 kB/s   out 500 rec/s, 1~
waits: node 3 (node-3): does not answer

NODE  NAME    STATE      LEAD   CPU      MEM  FSYNC99   PROD99    IN/s  OUT/s
  1   node-1  active        1  100%  52.0 MB  1.90 ms  9.90 ms  1.00 k    500
  2*  node-2  not ready     2     -        -        -        -       -      -
  3   node-3  no answer  node 3 does not answer: no connection

TOPIC   PARTS  LEADERS    IN/s  OUT/s  IN B/s  OUT B/s     SIZE    LAG  STATE
audit       1  2:1           -      -       -        -      0 B      -  ok
orders      2  1:1 2:1  1.00 k    500  200 kB   100 kB  7.00 MB  1,234  2 under
)");
}

TEST(TopScreenTest, LooksLikeThisIn120Columns) {
  EXPECT_EQ(Text(Draw(View(), {.width = 120})), R"(
10:00:03Z  1 of 3 nodes ready  controller 2  cluster 0f6e3a52-7c1d-4f0a-9a7e-3a1b5c2d4e6f
3 partitions, 2 under-replicated   in 1.00 k rec/s, 200 kB/s   out 500 rec/s, 100 kB/s
waits: node 3 (node-3): does not answer

NODE  NAME    STATE      LEAD  FOLLOW   CPU      MEM  FSYNC99  PROD50   PROD99    IN/s  OUT/s  IN B/s  OUT B/s  CONN
  1   node-1  active        1       1  100%  52.0 MB  1.90 ms    5 ms  9.90 ms  1.00 k    500  200 kB   100 kB     7
  2*  node-2  not ready     2       0     -        -        -       -        -       -      -       -        -     -
  3   node-3  no answer  node 3 does not answer: no connection

TOPIC   PARTS  LEADERS    IN/s  OUT/s  IN B/s  OUT B/s     SIZE  CONS    LAG  STATE
audit       1  2:1           -      -       -        -      0 B     0      -  ok
orders      2  1:1 2:1  1.00 k    500  200 kB   100 kB  7.00 MB     1  1,234  2 under
)");
}

TEST(TopScreenTest, FitsEveryWindow) {
  ClusterView view = View();
  view.nodes[0].name = view.topics[0].name = std::string(300, 'n');
  for (size_t width = 40; width < 200; width += 7) {
    for (const size_t height : {4, 5, 6, 10, 24}) {
      const Screen screen = Draw(view, {.width = width, .height = height, .keys = true});
      EXPECT_LE(screen.lines.size(), height);
      for (const std::string& line : screen.lines) EXPECT_LE(line.size(), width) << line;
    }
  }
}

TEST(TopScreenTest, ScrollsToTheLastLineAndNotBeyond) {
  const ScreenOptions options{.width = 80, .height = 8, .scroll = 100, .keys = true};
  const Screen screen = Draw(View(), options);
  ASSERT_THAT(screen.lines, SizeIs(8));
  EXPECT_EQ(screen.max_scroll, 5u);
  EXPECT_THAT(screen.lines[6], HasSubstr("orders"));
  EXPECT_THAT(screen.lines[7], Not(HasSubstr("more lines")));
  const Screen top = Draw(View(), {.width = 80, .height = 8, .keys = true});
  EXPECT_THAT(top.lines[7], HasSubstr("5 more lines"));
}

TEST(TopScreenTest, NothingOfANameReachesTheTerminalAsACommand) {
  ClusterView view = View();
  view.nodes[0].name = "a\x1b[2Jb";
  view.nodes[2].error = "c\td\xc3\xa9";
  view.waits[0].why = "e\nf";
  const Screen screen = Draw(view, {.width = 120, .error = ""});
  EXPECT_THAT(Text(screen), HasSubstr("a?[2Jb"));
  EXPECT_THAT(Text(screen), HasSubstr("c?d??"));
  EXPECT_THAT(Text(screen), HasSubstr("e?f"));
  EXPECT_THAT(screen.lines, Each(Not(HasSubstr("\x1b"))));
}

TEST(TopScreenTest, ColorsAddNothingButColors) {
  std::string colored = Text(Draw(View(), {.width = 120, .color = true}));
  EXPECT_THAT(colored, HasSubstr("\x1b[32mactive\x1b[0m"));
  for (size_t at; (at = colored.find('\x1b')) != std::string::npos;) {
    colored.erase(at, colored.find('m', at) - at + 1);
  }
  EXPECT_EQ(colored, Text(Draw(View(), {.width = 120})));
}

TEST(TopScreenTest, SaysWhenTheViewIsOld) {
  EXPECT_THAT(Text(Draw(View(), {.width = 80, .error = "nobody answers"})),
              HasSubstr("no answer, this is old: nobody answers"));
}

}  // namespace
}  // namespace cairn::apps
