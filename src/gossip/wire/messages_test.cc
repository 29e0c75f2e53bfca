#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gossip/wire/limits.h"
#include "gossip/wire/message_codec.h"
#include "gossip/wire/tags.h"

namespace cairn::gossip {
namespace {

Address At(const std::string& text) { return Address::Parse(text).value(); }

template <typename Message, typename Decode>
void ExpectSameAgain(const Message& message, Decode decode) {
  const std::string bytes = Encode(message);
  const auto again = decode(std::string_view(bytes).substr(1));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, message);
  for (size_t size = 1; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode(std::string_view(bytes).substr(1, size - 1)).ok()) << size;
  }
}

TEST(MessageCodecTest, EveryMessageComesBackAsItWas) {
  ExpectSameAgain(Ping{7, "a", At("10.0.0.1:7946"), "b"}, DecodePing);
  ExpectSameAgain(Ping{0xffffffff, "a", {}, ""}, DecodePing);
  ExpectSameAgain(IndirectPing{7, At("[fe80::1]:1"), "a", true, At("10.0.0.1:7946"), "b"},
                  DecodeIndirectPing);
  ExpectSameAgain(IndirectPing{7, At("10.0.0.1:7946"), "a", false, {}, ""}, DecodeIndirectPing);
  ExpectSameAgain(Ack{7, ""}, DecodeAck);
  ExpectSameAgain(Ack{7, std::string("\1\0\xff", 3)}, DecodeAck);
  ExpectSameAgain(Nack{70'000}, DecodeNack);
  ExpectSameAgain(Suspect{1, "a", "b"}, DecodeSuspect);
  ExpectSameAgain(Dead{1, "a", "a"}, DecodeDead);
  ExpectSameAgain(Alive{3, "a", At("10.0.0.1:7946"), std::string(512, 'm'), {1, 5, 2, 2, 5, 5}},
                  DecodeAlive);
}

TEST(MessageCodecTest, WritesWhatTheFormatSays) {
  EXPECT_EQ(Encode(Nack{5}), "\x0b\x81\xa5SeqNo\x05");
  EXPECT_EQ(Encode(Dead{2, "a", "b"}),
            "\x05\x83\xa4"
            "From\xa1"
            "b\xabIncarnation\x02\xa4Node\xa1"
            "a");
}

TEST(MessageCodecTest, AnAddressIsTheSameInBothItsForms) {
  const std::string mapped("\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\1", 16);
  EXPECT_EQ(Address::FromBytes(mapped, 7946).value(), At("10.0.0.1:7946"));
  EXPECT_EQ(At("[2001:db8::1]:80").ToString(), "[2001:db8::1]:80");
  EXPECT_EQ(Address().ToString(), "-");
  EXPECT_FALSE(Address::FromBytes("abc", 1).ok());
  EXPECT_FALSE(Address::Parse("localhost:1").ok());
}

TEST(MessageCodecTest, RefusesNamesThatNobodyMayHave) {
  for (const std::string& name : {std::string(), std::string("a\nb"), std::string("a\x1b[2J"),
                                  std::string("\x7f"), std::string(kMaxNameBytes + 1, 'x')}) {
    EXPECT_TRUE(absl::IsInvalidArgument(
        DecodeAlive(Encode(Alive{.node = name, .address = At("10.0.0.1:1")}).substr(1)).status()));
    EXPECT_TRUE(
        absl::IsInvalidArgument(DecodeSuspect(Encode(Suspect{1, name, "b"}).substr(1)).status()));
  }
  EXPECT_TRUE(DecodeSuspect(Encode(Suspect{1, "grüße-1.x", "b"}).substr(1)).ok());
}

TEST(MessageCodecTest, RefusesALongMeta) {
  EXPECT_FALSE(
      DecodeAlive(Encode(Alive{.node = "a", .meta = std::string(513, 'm')}).substr(1)).ok());
}

TEST(MessageCodecTest, AnErrorsTextIsMadeHarmless) {
  const std::string bytes = Encode(ErrorMessage{"no\nway\x1b" + std::string(5000, 'x')});
  MsgpackReader reader(std::string_view(bytes).substr(1));
  const ErrorMessage message = TakeError(reader).value();
  EXPECT_EQ(message.text.substr(0, 7), "no?way?");
  EXPECT_EQ(message.text.size(), kMaxErrorTextBytes);
}

TEST(TagsTest, ComeBackAsTheyWere) {
  const Tags tags = {{"role", "broker"}, {"rpc_addr", "10.0.0.1:8400"}, {"empty", ""}};
  EXPECT_EQ(DecodeTags(EncodeTags(tags).value()).value(), tags);
  EXPECT_EQ(DecodeTags("").value(), Tags());
}

TEST(TagsTest, AMetaWithoutTheMarkIsARole) {
  EXPECT_EQ(DecodeTags("web").value(), (Tags{{"role", "web"}}));
}

TEST(TagsTest, FitIntoTheMeta) {
  // 0xff, the map's head, two bytes of name, three of the value's head.
  EXPECT_TRUE(EncodeTags({{"t", std::string(512 - 7, 'x')}}).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(EncodeTags({{"t", std::string(512 - 6, 'x')}}).status()));
}

TEST(TagsTest, HaveNoControlCharacters) {
  EXPECT_FALSE(EncodeTags({{"a\tb", "x"}}).ok());
  EXPECT_FALSE(EncodeTags({{"a", "x\n"}}).ok());
  MsgpackWriter writer;
  writer.Map(1).Raw("a").Raw("\x1b]0;owned\x07");
  EXPECT_TRUE(absl::IsInvalidArgument(DecodeTags('\xff' + writer.bytes()).status()));
}

}  // namespace
}  // namespace cairn::gossip
