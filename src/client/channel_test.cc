#include "client/channel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn::client {
namespace {

TEST(ChannelTest, SplitsAddresses) {
  EXPECT_THAT(*SplitAddresses("a:1"), ::testing::ElementsAre("a:1"));
  EXPECT_THAT(*SplitAddresses("a:1,[::1]:65535"), ::testing::ElementsAre("a:1", "[::1]:65535"));
}

TEST(ChannelTest, NamesWhatIsNoAddress) {
  for (const char* wrong : {"", "a", ":1", "a:", "a:0", "a:65536", "a:1x", "a:1,", "a:1,b"}) {
    const auto addresses = SplitAddresses(wrong);
    EXPECT_EQ(addresses.status().code(), absl::StatusCode::kInvalidArgument) << wrong;
    EXPECT_THAT(addresses.status().ToString(), ::testing::HasSubstr("HOST:PORT"));
  }
}

TEST(ChannelTest, RefusesHalfATlsIdentity) {
  EXPECT_FALSE(Client::Create({.tls = {.cert_file = "c", .key_file = "k"}}).ok());
  EXPECT_TRUE(absl::IsNotFound(Client::Create({.tls = {.ca_file = "/no/such/ca"}}).status()));
}

}  // namespace
}  // namespace cairn::client
