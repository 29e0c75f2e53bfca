#include "rpc/client_hello.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "rpc/client_hello_testing.h"

namespace cairn::rpc {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// The same handshake in records of `size` bytes.
std::string Fragmented(const std::string& hello, size_t size) {
  const std::string message = hello.substr(5);
  std::string records;
  for (size_t at = 0; at < message.size(); at += size) {
    const std::string part = message.substr(at, size);
    records += std::string("\x16\x03\x01", 3);
    records += static_cast<char>(part.size() >> 8);
    records += static_cast<char>(part.size() & 0xff);
    records += part;
  }
  return records;
}

std::vector<std::string> Protocols(const std::string& bytes) {
  const auto hello = PeekClientHello(bytes);
  EXPECT_TRUE(hello.ok()) << hello.status();
  if (!hello.ok()) return {};
  EXPECT_TRUE(hello->complete);
  return hello->protocols;
}

std::string Refusal(const std::string& bytes) {
  const auto hello = PeekClientHello(bytes);
  return hello.ok() ? "" : std::string(hello.status().message());
}

TEST(ClientHelloTest, TellsWhatARealClientOffers) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    EXPECT_THAT(Protocols(RealHello("\x02h2", version)), ElementsAre("h2"));
    EXPECT_THAT(Protocols(RealHello("\x02h2\x08http/1.1", version)), ElementsAre("h2", "http/1.1"));
    EXPECT_THAT(Protocols(RealHello("", version)), IsEmpty());
  }
}

TEST(ClientHelloTest, IsPutTogetherFromRecords) {
  const std::string hello = RealHello("\x02h2");
  for (const size_t size : {1, 2, 3, 7, 100}) {
    EXPECT_THAT(Protocols(Fragmented(hello, size)), ElementsAre("h2")) << size;
  }
}

TEST(ClientHelloTest, EveryPartOfOneNeedsMore) {
  for (const std::string& hello : {RealHello("\x02h2"), Fragmented(RealHello("\x02h2"), 50)}) {
    for (size_t size = 0; size < hello.size(); ++size) {
      const auto peeked = PeekClientHello(hello.substr(0, size));
      ASSERT_TRUE(peeked.ok()) << size << ": " << peeked.status();
      EXPECT_FALSE(peeked->complete) << size;
    }
  }
}

TEST(ClientHelloTest, WhatIsNoHelloIsRefusedAsSoonAsItShows) {
  EXPECT_THAT(Refusal("\x17\x03\x01"), HasSubstr("no record of a handshake"));
  EXPECT_THAT(Refusal("\x16\x02\x01"), HasSubstr("no version of TLS"));
  EXPECT_THAT(Refusal(std::string("\x16\x03\x01\0\0", 5)), HasSubstr("impossible length"));
  EXPECT_THAT(Refusal("\x16\x03\x01\xff\xff"), HasSubstr("impossible length"));
  EXPECT_THAT(Refusal(std::string("\x16\x03\x01\0\1\x02", 6)), HasSubstr("begin with a hello"));
  EXPECT_THAT(Refusal(std::string("\x16\x03\x01\0\4\x01\xff\xff\xff", 9)),
              HasSubstr("longer than any"));
  // Records that never make a hello.
  std::string endless = std::string("\x16\x03\x01\x40\0\x01\0\x3f\xfb", 9);
  endless.resize(kMaxClientHelloBytes, 'x');
  EXPECT_THAT(Refusal(endless), HasSubstr("longer than any"));
}

TEST(ClientHelloTest, LengthsThatLieAreRefusedOrReadOn) {
  const std::string hello = RealHello("\x02h2\x08http/1.1");
  std::mt19937 random(1);
  for (int i = 0; i < 100'000; ++i) {
    std::string changed = hello;
    const size_t at = random() % changed.size();
    changed[at] = static_cast<char>(random());
    if (i % 3 == 0) changed[random() % changed.size()] = i % 2 == 0 ? '\xff' : '\0';
    const auto peeked = PeekClientHello(changed);
    if (peeked.ok() && peeked->complete) {
      EXPECT_LE(peeked->protocols.size(), changed.size());
    }
  }
}

}  // namespace
}  // namespace cairn::rpc
