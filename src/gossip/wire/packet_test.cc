#include "gossip/wire/packet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "env/sim_random.h"
#include "gossip/wire/limits.h"
#include "gossip/wire/lzw.h"
#include "gossip/wire/message_codec.h"
#include "gossip/wire/msgpack.h"
#include "gossip/wire/serf_messages.h"

namespace cairn::gossip {
namespace {

class PacketTest : public testing::Test {
 protected:
  // What Open makes of a datagram: types and bodies, or the error's code.
  static std::string Read(std::string_view datagram, const Envelope& envelope) {
    const auto packet = OpenedPacket::Open(datagram, envelope);
    if (!packet.ok()) return absl::StatusCodeToString(packet.status().code());
    std::string text;
    for (const auto& message : packet->messages()) {
      text +=
          std::to_string(static_cast<int>(message.type)) + ":" + std::string(message.body) + " ";
    }
    return text;
  }
  static Envelope WithKey(char key, std::string label = "") {
    Envelope envelope;
    envelope.label = std::move(label);
    EXPECT_TRUE(envelope.keyring.Install(std::string(16, key)).ok());
    return envelope;
  }
  static Envelope WithLabel(std::string label) {
    Envelope envelope;
    envelope.label = std::move(label);
    return envelope;
  }

  env::SimRandom random_{1};
  const Envelope plain_;
};

TEST_F(PacketTest, CarriesMessagesInOrder) {
  const std::string messages[] = {"\x08one", "\x02two", std::string(700, '\x08')};
  const std::string expected = "8:one 2:two 8:" + std::string(699, '\x08') + " ";
  for (const bool compress : {false, true}) {
    for (const bool checksum : {false, true}) {
      for (const char key : {'\0', 'k'}) {
        for (const char* label : {"", "blue"}) {
          const Envelope envelope = key ? WithKey(key, label) : WithLabel(label);
          EXPECT_EQ(
              Read(MakePacket(JoinMessages(messages), envelope, {compress, checksum}, random_),
                   envelope),
              expected);
        }
      }
    }
  }
}

TEST_F(PacketTest, ACompoundIsCountSizesParts) {
  const std::string messages[] = {
      "\x08"
      "a",
      "\x08"
      "bc"};
  EXPECT_EQ(JoinMessages(messages), std::string("\x07\x02\x00\x02\x00\x03\x08"
                                                "a\x08"
                                                "bc",
                                                11));
  EXPECT_EQ(JoinMessages({}), "");
}

// docs/formats/gossip.md
TEST_F(PacketTest, TheWorkedExampleIsWhatIsWritten) {
  const std::string messages[] = {Encode(Ack{7, ""}), "\x08" + Encode(JoinIntent{300, "n1"})};
  EXPECT_EQ(absl::BytesToHexString(JoinMessages(messages)),
            "070200120014"
            "0282a75061796c6f6164c0a55365714e6f07"
            "080182a54c54696d65cd012ca44e6f6465a26e31");
}

TEST_F(PacketTest, CompressesOnlyWhatGetsSmaller) {
  EXPECT_EQ(MakePacket("\x08short", plain_, {}, random_), "\x08short");
  EXPECT_LT(MakePacket(std::string(1000, '\x08'), plain_, {}, random_).size(), 200u);
}

TEST_F(PacketTest, RoomLeavesSpaceForEverythingAround) {
  const Envelope sealed = WithKey('k', "blue");
  std::string message(PacketRoomBytes(sealed), '\x08');
  EXPECT_EQ(MakePacket(message, sealed, {.compress = false, .checksum = true}, random_).size(),
            kPacketBudgetBytes);
}

TEST_F(PacketTest, AWrongChecksumIsDataLoss) {
  std::string packet = MakePacket("\x08text", plain_, {.checksum = true}, random_);
  EXPECT_EQ(packet.substr(0, 1), "\x0c");
  packet.back() ^= 1;
  EXPECT_EQ(Read(packet, plain_), "DATA_LOSS");
  EXPECT_EQ(Read(packet.substr(0, 4), plain_), "INVALID_ARGUMENT");
}

TEST_F(PacketTest, PlaintextIsRefusedWhenThereAreKeys) {
  const Envelope sealed = WithKey('k');
  EXPECT_FALSE(
      OpenedPacket::Open(MakePacket(std::string(64, '\x08'), plain_, {}, random_), sealed).ok());
  EXPECT_EQ(Read(MakePacket("\x08x", WithKey('o'), {}, random_), sealed), "UNAUTHENTICATED");
}

TEST_F(PacketTest, AnotherClustersLabelIsRefused) {
  const std::string blue = MakePacket("\x08x", WithLabel("blue"), {}, random_);
  EXPECT_EQ(blue,
            "\xf4\x04"
            "blue\x08x");
  EXPECT_EQ(Read(blue, WithLabel("green")), "PERMISSION_DENIED");
  EXPECT_EQ(Read(blue, plain_), "PERMISSION_DENIED");
  EXPECT_EQ(Read("\x08x", WithLabel("blue")), "PERMISSION_DENIED");
  EXPECT_EQ(Read("\xf4\x20x", plain_), "OUT_OF_RANGE");
}

TEST_F(PacketTest, NestingIsBounded) {
  std::string nested = "\x08x";
  for (int i = 1; i < kMaxPacketNesting; ++i) {
    nested = std::string("\x07\x01\x00", 3) + static_cast<char>(nested.size()) + nested;
  }
  EXPECT_EQ(Read(nested, plain_), "8:x ");
  nested = std::string("\x07\x01\x00", 3) + static_cast<char>(nested.size()) + nested;
  EXPECT_EQ(Read(nested, plain_), "RESOURCE_EXHAUSTED");
}

TEST_F(PacketTest, ExpansionIsBounded) {
  const std::string bomb = CompressMessage(std::string(kMaxExpandedPacketBytes + 1, '\x08'));
  EXPECT_LT(bomb.size(), kPacketBudgetBytes * 2);
  EXPECT_EQ(Read(bomb, plain_), "RESOURCE_EXHAUSTED");
  // Many that are within the limit by themselves.
  const std::string parts(10, 'x');
  std::vector<std::string> many(10,
                                CompressMessage(std::string(kMaxExpandedPacketBytes / 8, '\x08')));
  EXPECT_EQ(Read(JoinMessages(many), plain_), "RESOURCE_EXHAUSTED");
}

TEST_F(PacketTest, TheNumberOfMessagesIsBounded) {
  // A compound of three compounds of 255.
  const std::vector<std::string> ones(255, "\x08");
  const std::vector<std::string> three(3, JoinMessages(ones));
  EXPECT_EQ(Read(JoinMessages(three), plain_), "RESOURCE_EXHAUSTED");
}

TEST_F(PacketTest, WhatIsMalformedIsRefusedWhole) {
  EXPECT_EQ(Read("", plain_), "INVALID_ARGUMENT");
  EXPECT_EQ(Read("\x07", plain_), "INVALID_ARGUMENT");
  EXPECT_EQ(Read(std::string("\x07\x02\x00\x02\x08x", 6), plain_), "INVALID_ARGUMENT");
  EXPECT_EQ(Read(std::string("\x07\x01\x00\x09\x08x", 6), plain_), "INVALID_ARGUMENT");
  EXPECT_EQ(Read(std::string("\x07\x01\x00\x00", 4), plain_), "INVALID_ARGUMENT") << "empty part";
  for (const char type : {'\x06', '\x0a', '\x0c', '\x0e', '\x63'}) {
    EXPECT_EQ(Read(std::string(1, type), plain_), "INVALID_ARGUMENT") << static_cast<int>(type);
  }
  MsgpackWriter other;
  other.Map(2).Raw("Algo").Uint(1).Raw("Buf").Raw(LzwCompress("\x08x"));
  EXPECT_EQ(Read('\x09' + other.bytes(), plain_), "INVALID_ARGUMENT") << "unknown algorithm";
}

TEST_F(PacketTest, EveryPrefixOfAPacketIsRefusedOrReadWithoutHarm) {
  const std::string packet = MakePacket(Encode(Alive{.node = "abc", .meta = std::string(500, 'm')}),
                                        WithKey('k'), {.checksum = true}, random_);
  for (size_t size = 0; size < packet.size(); ++size) {
    EXPECT_FALSE(OpenedPacket::Open(packet.substr(0, size), WithKey('k')).ok());
  }
}

}  // namespace
}  // namespace cairn::gossip
