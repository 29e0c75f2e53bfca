#include "server/nearest_name.h"

#include <gtest/gtest.h>

#include <array>

namespace cairn::server {
namespace {

TEST(NearestNameTest, CountsEdits) {
  EXPECT_EQ(EditDistance("", ""), 0u);
  EXPECT_EQ(EditDistance("abc", ""), 3u);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3u);
  EXPECT_EQ(EditDistance("rcp_port", "rpc_port"), 2u);
}

TEST(NearestNameTest, FindsTheLeastDistance) {
  const std::array<std::string_view, 3> names = {"data_dir", "node_name", "rpc_port"};
  EXPECT_EQ(NearestName("datadir", names), "data_dir");
  EXPECT_EQ(NearestName("nodename", names), "node_name");
  EXPECT_EQ(NearestName("port", names), "rpc_port");
}

}  // namespace
}  // namespace cairn::server
