#include "gossip/wire/serf_messages.h"

#include <gtest/gtest.h>

#include "gossip/wire/limits.h"
#include "gossip/wire/msgpack.h"

namespace cairn::gossip {
namespace {

Address AddressAt(const std::string& text) { return Address::Parse(text).value(); }

TEST(SerfMessagesTest, EveryMessageComesBackAsItWas) {
  const SerfMessage messages[] = {
      LeaveIntent{3, "a", true},
      JoinIntent{1ull << 40, "a"},
      UserEvent{5, "deploy", "v1", false},
      UserEvent{5, "deploy", "", true},
      Query{9,
            77,
            AddressAt("10.0.0.1:7946"),
            "a",
            {NodeFilter{{"a", "b"}}, TagFilter{"role", "^web"}},
            kQueryFlagAck,
            3,
            15'000'000'000,
            "uptime",
            "now"},
      Query{},
      QueryResponse{9, 77, "b", kQueryFlagAck, ""},
      QueryResponse{9, 77, "b", 0, std::string(1000, 'r')},
      Relay{AddressAt("[::1]:7946"), "a", Encode(QueryResponse{9, 77, "b", 0, "x"})},
      KeyRequest{std::string(32, '\xff')},
      KeyResponse{true, "", {"a2V5"}, "a2V5"},
      ConflictResponse{"a", AddressAt("10.0.0.1:7946"), {{"role", "web"}}, 1},
      SerfPushPull{7,
                   {{"a", 3}, {"b", 1ull << 33}},
                   {"b"},
                   12,
                   {{10, "x", "1", false}, {10, "y", "", false}, {11, "x", "2", false}},
                   4},
  };
  for (const SerfMessage& message : messages) {
    const std::string bytes = std::visit([](const auto& m) { return Encode(m); }, message);
    const auto again = DecodeSerf(bytes);
    ASSERT_TRUE(again.ok()) << again.status() << " in message " << message.index();
    EXPECT_TRUE(*again == message) << message.index();
    for (size_t size = 0; size < bytes.size(); ++size) {
      if (std::holds_alternative<Relay>(message)) continue;  // what is relayed has no length
      EXPECT_FALSE(DecodeSerf(std::string_view(bytes).substr(0, size)).ok()) << size;
    }
  }
}

TEST(SerfMessagesTest, WritesWhatTheFormatSays) {
  EXPECT_EQ(Encode(JoinIntent{300, "n1"}),
            std::string("\x01\x82\xa5LTime\xcd\x01\x2c\xa4Node\xa2n1"));
}

TEST(SerfMessagesTest, NilStandsForNoEventsInARing) {
  MsgpackWriter writer;
  writer.Map(1).Raw("Events").Array(3).Nil().Map(2).Raw("LTime").Uint(2).Raw("Events").Array(1);
  writer.Map(2).Raw("Name").Raw("x").Raw("Payload").Nil().Nil();
  const auto state = DecodeSerf('\x02' + writer.bytes());
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(std::get<SerfPushPull>(*state).events, (std::vector<UserEvent>{{2, "x", "", false}}));
}

TEST(SerfMessagesTest, LimitsHold) {
  EXPECT_FALSE(
      DecodeSerf(Encode(UserEvent{1, "x", std::string(kMaxPeerPayloadBytes + 1, 'p')})).ok());
  EXPECT_FALSE(DecodeSerf(Encode(UserEvent{1, "x\ny", ""})).ok());
  EXPECT_FALSE(DecodeSerf(Encode(JoinIntent{1, ""})).ok());
  Query query;
  query.filters.assign(kMaxQueryFilters + 1, NodeFilter{});
  EXPECT_FALSE(DecodeSerf(Encode(query)).ok());
  query.filters.assign(1, TagFilter{"role", std::string(kMaxFilterExpressionBytes + 1, 'x')});
  EXPECT_FALSE(DecodeSerf(Encode(query)).ok());
  EXPECT_FALSE(DecodeSerf("").ok());
  EXPECT_FALSE(DecodeSerf("\x0a\x80").ok());
  // Billions of members that are not there.
  EXPECT_FALSE(DecodeSerf("\x02\x81\xacStatusLTimes\xdf\xff\xff\xff\xff").ok());
}

}  // namespace
}  // namespace cairn::gossip
