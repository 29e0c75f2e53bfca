#include "env/host_port.h"

#include <gtest/gtest.h>

namespace cairn::env {
namespace {

TEST(HostPortTest, ReadsNamesAndAddresses) {
  EXPECT_EQ(ParseHostPort("127.0.0.1:8400").value(), (HostPort{"127.0.0.1", 8400}));
  EXPECT_EQ(ParseHostPort("node-1.example:0").value(), (HostPort{"node-1.example", 0}));
  EXPECT_EQ(ParseHostPort("[::1]:65535").value(), (HostPort{"::1", 65535}));
}

TEST(HostPortTest, RefusesEverythingElse) {
  for (const std::string text :
       {"", ":", "host", "host:", ":80", "host:65536", "host:-1", "host:+1", "host:80x", "host: 80",
        "::1:80", "[]:80", "[::1]", "ho st:80", "a/b:80", "[[::1]]:80", "h\n:80"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseHostPort(text).status())) << text;
  }
  EXPECT_TRUE(absl::IsInvalidArgument(ParseHostPort(std::string(1000, 'a') + ":1").status()));
}

TEST(HostPortTest, FormatsWhatItReads) {
  EXPECT_EQ(FormatHostPort("10.0.0.1", 1), "10.0.0.1:1");
  EXPECT_EQ(FormatHostPort("fe80::1", 65535), "[fe80::1]:65535");
}

}  // namespace
}  // namespace cairn::env
