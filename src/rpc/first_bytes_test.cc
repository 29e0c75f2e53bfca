#include "rpc/first_bytes.h"

#include <gtest/gtest.h>

#include <string>

namespace cairn::rpc {
namespace {

TEST(FirstBytesTest, KnowsEachProtocolByItsOpening) {
  EXPECT_EQ(DetectProtocol("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Protocol::kGrpc);
  EXPECT_EQ(DetectProtocol("GET /livez HTTP/1.1"), Protocol::kHttp);
  EXPECT_EQ(DetectProtocol("HEAD"), Protocol::kHttp);
  EXPECT_EQ(DetectProtocol("POST"), Protocol::kHttp);
  EXPECT_EQ(DetectProtocol("\x01"), Protocol::kPeer);
  EXPECT_EQ(DetectProtocol("\x16"), Protocol::kTls);
}

TEST(FirstBytesTest, WaitsForMoreOnlyWhileSomethingKnownIsPossible) {
  EXPECT_EQ(DetectProtocol(""), Protocol::kUndecided);
  for (const char* prefix : {"P", "PR", "PRI", "PO", "POS", "G", "GET", "H", "HEA"}) {
    EXPECT_EQ(DetectProtocol(prefix), Protocol::kUndecided) << prefix;
  }
  for (const char* other : {"\x15\x03\x01", "PRX", "PUT ", "get ", "GETX", "SSH-2.0", "*1\r\n"}) {
    EXPECT_EQ(DetectProtocol(other), Protocol::kUnknown) << other;
  }
}

TEST(FirstBytesTest, DecidesEveryFourBytes) {
  for (int first = 0; first < 256; ++first) {
    for (const char* rest : {"RI ", "ET ", "EAD", "OST", "xyz"}) {
      const std::string bytes = std::string(1, static_cast<char>(first)) + rest;
      EXPECT_NE(DetectProtocol(bytes), Protocol::kUndecided) << first << rest;
    }
  }
}

}  // namespace
}  // namespace cairn::rpc
