// The label that memberlist 0.3 and later put in front of what they send: transcripts of their
// format (label.go and security.go of memberlist 0.5), and what must not be taken for it.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "absl/strings/escaping.h"
#include "env/sim_random.h"
#include "gossip/serf/serf.h"
#include "gossip/wire/limits.h"
#include "gossip/wire/packet.h"
#include "gossip/wire/stream.h"

namespace cairn::gossip {
namespace {

// An ack of sequence 7, as memberlist writes it; alone, behind the label "blue", and sealed with
// sixteen 'k' and the nonce 00 01 … 0b: a datagram with the label as associated data, a stream with
// its five bytes of head and the label.
constexpr char kAck[] = "0282a75061796c6f6164c0a55365714e6f07";
constexpr char kBlue[] = "f404626c7565";
constexpr char kSealedPacket[] =
    "01000102030405060708090a0b"
    "ab39fee943cf1f92216d12321bad657c58b6"
    "48990c075bc69ec299892c9c735d9416";
constexpr char kSealedStream[] =
    "0a0000002f"
    "01000102030405060708090a0b"
    "ab39fee943cf1f92216d12321bad657c58b6"
    "11e91e86d7e960395be91a834283bc49";

std::string Unhex(std::string_view hex, std::string_view more = "") {
  return absl::HexStringToBytes(std::string(hex)) + absl::HexStringToBytes(std::string(more));
}

Envelope With(std::string label, bool sealed) {
  Envelope envelope;
  envelope.label = std::move(label);
  if (sealed) {
    EXPECT_TRUE(envelope.keyring.Install(std::string(16, 'k')).ok());
  }
  return envelope;
}

// What becomes of a datagram: "ack", or the code of the error.
std::string Packet(std::string_view datagram, const Envelope& envelope) {
  const auto packet = OpenedPacket::Open(datagram, envelope);
  if (!packet.ok()) return absl::StatusCodeToString(packet.status().code());
  const bool ack =
      packet->messages().size() == 1 && packet->messages()[0].type == MessageType::kAck;
  return ack ? "ack" : "something else";
}

// The same of a stream that comes byte by byte; "waits" when it wants more.
std::string Stream(std::string_view bytes, const Envelope& envelope) {
  StreamReader reader(envelope, kMaxStreamBytes);
  for (const char byte : bytes) {
    reader.Space()[0] = byte;
    reader.Advance(1);
    const auto message = reader.Next();
    if (!message.ok()) return absl::StatusCodeToString(message.status().code());
    if (message->has_value()) return std::get<Ack>(**message).sequence == 7 ? "ack" : "else";
  }
  return "waits";
}

TEST(LabelTest, WhatNewerMembersSendIsRead) {
  EXPECT_EQ(Packet(Unhex(kBlue, kAck), With("blue", false)), "ack");
  EXPECT_EQ(Stream(Unhex(kBlue, kAck), With("blue", false)), "ack");
  EXPECT_EQ(Packet(Unhex(kBlue, kSealedPacket), With("blue", true)), "ack");
  EXPECT_EQ(Stream(Unhex(kBlue, kSealedStream), With("blue", true)), "ack");
}

TEST(LabelTest, WhatIsSentBeginsAsTheirs) {
  env::SimRandom random(1);
  EXPECT_EQ(MakePacket(Unhex(kAck), With("blue", false), {}, random), Unhex(kBlue, kAck));
  for (const bool sealed : {false, true}) {
    const Envelope blue = With("blue", sealed);
    const std::string stream = MakeStream(Ack{7, ""}, blue, false, random);
    EXPECT_TRUE(stream.starts_with(Unhex(kBlue)));
    EXPECT_EQ(stream.size(), Unhex(kBlue, sealed ? kSealedStream : kAck).size());
  }
}

TEST(LabelTest, AnotherOneOrNoneIsRefused) {
  for (const bool sealed : {false, true}) {
    const char* packet = sealed ? kSealedPacket : kAck;
    const char* stream = sealed ? kSealedStream : kAck;
    for (const char* label : {"", "green", "blue ", "blu", "Blue"}) {
      EXPECT_EQ(Packet(Unhex(kBlue, packet), With(label, sealed)), "PERMISSION_DENIED") << label;
      EXPECT_EQ(Stream(Unhex(kBlue, stream), With(label, sealed)), "PERMISSION_DENIED") << label;
    }
    EXPECT_EQ(Packet(Unhex(packet), With("blue", sealed)), "PERMISSION_DENIED");
    EXPECT_EQ(Stream(Unhex(stream), With("blue", sealed)), "PERMISSION_DENIED");
  }
}

// The label is bound to what is sealed: one that was exchanged on the way opens nothing.
TEST(LabelTest, AnExchangedLabelOpensNothing) {
  const char kTeal[] = "f4047465616c";
  EXPECT_EQ(Packet(Unhex(kTeal, kSealedPacket), With("teal", true)), "UNAUTHENTICATED");
  EXPECT_EQ(Stream(Unhex(kTeal, kSealedStream), With("teal", true)), "UNAUTHENTICATED");
  EXPECT_EQ(Packet(Unhex(kSealedPacket), With("", true)), "UNAUTHENTICATED");
  EXPECT_EQ(Stream(Unhex(kSealedStream), With("", true)), "UNAUTHENTICATED");
}

TEST(LabelTest, OneOfAnyLengthIsReadAndALongerOneCannotBe) {
  env::SimRandom random(1);
  const Envelope longest = With(std::string(kMaxLabelBytes, 'l'), true);
  EXPECT_EQ(Packet(MakePacket(Unhex(kAck), longest, {}, random), longest), "ack");
  EXPECT_EQ(Stream(MakeStream(Ack{7, ""}, longest, false, random), longest), "ack");
  SerfConfig config;
  config.swim.name = "n1";
  config.swim.address = Address::Parse("10.0.0.1:7946").value();
  config.label = std::string(kMaxLabelBytes + 1, 'l');
  EXPECT_TRUE(absl::IsInvalidArgument(Serf::Create(config, random, 0, {}).status()));
}

TEST(LabelTest, AHeaderThatIsCutShortOrEmptyIsNone) {
  const Envelope blue = With("blue", false);
  // It announces more than the datagram has; a stream may still bring it.
  for (const char* cut : {"f4", "f404", "f404626c75", "f4ff626c7565", "f4ff"}) {
    EXPECT_EQ(Packet(Unhex(cut), blue), "OUT_OF_RANGE") << cut;
    EXPECT_EQ(Stream(Unhex(cut), blue), "waits") << cut;
  }
  EXPECT_EQ(Packet(Unhex(kBlue), blue), "INVALID_ARGUMENT") << "nothing behind it";
  EXPECT_EQ(Stream(Unhex(kBlue), blue), "waits");
  for (const char* label : {"", "blue"}) {
    EXPECT_EQ(Packet(Unhex("f400", kAck), With(label, false)), "INVALID_ARGUMENT");
    EXPECT_EQ(Stream(Unhex("f400", kAck), With(label, false)), "INVALID_ARGUMENT");
  }
}

TEST(LabelTest, OneLabelIsEnough) {
  const Envelope blue = With("blue", false);
  EXPECT_EQ(Packet(Unhex(kBlue) + Unhex(kBlue, kAck), blue), "INVALID_ARGUMENT");
  EXPECT_EQ(Stream(Unhex(kBlue) + Unhex(kBlue, kAck), blue), "INVALID_ARGUMENT");
}

}  // namespace
}  // namespace cairn::gossip
