#include "apps/usage.h"

#include <gtest/gtest.h>

namespace cairn::apps {
namespace {

TEST(UsageTest, CountsEdits) {
  EXPECT_EQ(EditDistance("", "abc"), 3u);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3u);
  EXPECT_EQ(EditDistance("same", "same"), 0u);
}

TEST(UsageTest, SuggestsOnlyWhatIsNear) {
  EXPECT_EQ(Nearest("--adr", {"--addr", "--topic"}), "--addr");
  EXPECT_EQ(Nearest("--partitons", {"--partition", "--partitions"}), "--partitions");
  EXPECT_EQ(Nearest("--xyz", {"--addr", "--topic"}), "");
}

TEST(UsageTest, NamesEveryWordOfACommand) {
  CLI::App app("", "cairn");
  CLI::App* install = app.add_subcommand("cluster")->add_subcommand("keys")->add_subcommand("list");
  EXPECT_EQ(CommandPath(*install), "cluster keys list");
  EXPECT_EQ(CommandPath(app), "");
}

}  // namespace
}  // namespace cairn::apps
