#include "gossip/wire/stream.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "env/sim_random.h"
#include "gossip/wire/limits.h"
#include "gossip/wire/message_codec.h"
#include "gossip/wire/msgpack.h"

namespace cairn::gossip {
namespace {

Address PeerAt(const std::string& text) { return Address::Parse(text).value(); }

PushPull State(int nodes) {
  PushPull state{.join = true, .user_state = std::string(3000, 'u')};
  for (int i = 0; i < nodes; ++i) {
    state.nodes.push_back({"node-" + std::to_string(i), PeerAt("10.0.0.1:7946"),
                           std::string(i % 40, 'm'), static_cast<uint32_t>(i),
                           static_cast<NodeState>(i % 4), Versions{}});
  }
  return state;
}

// Feeds `bytes` in pieces and returns the message, or the error's code, or how it is not finished.
absl::StatusOr<StreamMessage> Read(std::string_view bytes, const Envelope& envelope, size_t piece,
                                   size_t limit = kMaxStreamBytes) {
  StreamReader reader(envelope, limit);
  while (true) {
    auto message = reader.Next();
    if (!message.ok()) return message.status();
    if (*message) return **std::move(message);
    if (bytes.empty()) return absl::CancelledError("incomplete");
    const std::span<char> space = reader.Space();
    const size_t size = std::min({space.size(), bytes.size(), piece});
    std::copy_n(bytes.begin(), size, space.begin());
    reader.Advance(size);
    bytes.remove_prefix(size);
  }
}

Envelope Sealed() {
  Envelope envelope;
  envelope.label = "blue";
  EXPECT_TRUE(envelope.keyring.Install(std::string(32, 'k')).ok());
  return envelope;
}

TEST(StreamTest, EveryMessageComesBackHoweverItIsCut) {
  env::SimRandom random(1);
  const StreamMessage messages[] = {State(100),         Ping{7, "a", PeerAt("10.0.0.1:1"), "b"},
                                    Ack{7, "payload"},  UserMessage{"hello"},
                                    ErrorMessage{"no"}, PushPull{}};
  const Envelope plain;
  const Envelope sealed = Sealed();
  for (const Envelope* envelope : {&plain, &sealed}) {
    for (const bool compress : {false, true}) {
      for (const StreamMessage& message : messages) {
        const std::string bytes = MakeStream(message, *envelope, compress, random);
        for (const size_t piece : {1, 7, 1000, 1 << 20}) {
          const auto again = Read(bytes, *envelope, piece);
          ASSERT_TRUE(again.ok()) << again.status();
          EXPECT_TRUE(*again == message);
        }
        const auto cut = Read(std::string_view(bytes).substr(0, bytes.size() - 1), *envelope, 100);
        EXPECT_FALSE(cut.ok());
      }
    }
  }
}

TEST(StreamTest, PlaintextIsRefusedWhenThereAreKeys) {
  env::SimRandom random(1);
  Envelope keyed = Sealed();
  keyed.label = "";
  const std::string plain = MakeStream(State(3), Envelope(), false, random);
  EXPECT_TRUE(absl::IsUnauthenticated(Read(plain, keyed, 1).status()));
  const std::string sealed = MakeStream(State(3), keyed, false, random);
  EXPECT_TRUE(absl::IsUnauthenticated(Read(sealed, Envelope(), 1).status()));
  std::string changed = sealed;
  changed[3] ^= 1;  // the length, which is bound to what is sealed
  EXPECT_FALSE(Read(changed, keyed, 1 << 20).ok());
}

TEST(StreamTest, AnotherLabelIsRefused) {
  env::SimRandom random(1);
  Envelope blue;
  blue.label = "blue";
  const std::string bytes = MakeStream(Ack{1, ""}, blue, true, random);
  EXPECT_TRUE(absl::IsPermissionDenied(Read(bytes, Envelope(), 1).status()));
}

TEST(StreamTest, AnnouncedSizesAreNotBelieved) {
  // A sealed message of 4 GiB.
  Envelope keyed = Sealed();
  keyed.label = "";
  EXPECT_TRUE(absl::IsResourceExhausted(Read("\x0a\xff\xff\xff\xff", keyed, 1).status()));
  const auto head = [](uint64_t nodes, uint64_t state) {
    MsgpackWriter writer;
    writer.Map(3).Raw("Nodes").Uint(nodes).Raw("UserStateLen").Uint(state).Raw("Join").Bool(true);
    return '\x06' + writer.bytes();
  };
  EXPECT_TRUE(absl::IsResourceExhausted(Read(head(1'000'000, 0), Envelope(), 1).status()));
  EXPECT_TRUE(absl::IsResourceExhausted(Read(head(0, 1ull << 40), Envelope(), 1).status()));
  EXPECT_TRUE(absl::IsCancelled(Read(head(5, 100), Envelope(), 1).status())) << "may still come";
  MsgpackWriter user;
  user.Map(1).Raw("UserMsgLen").Uint(1ull << 32);
  EXPECT_TRUE(absl::IsResourceExhausted(Read('\x08' + user.bytes(), Envelope(), 1).status()));
}

TEST(StreamTest, GathersNoMoreThanTheLimit) {
  const std::string endless = std::string(
                                  "\x09\x82\xa4"
                                  "Algo\x00\xa3"
                                  "Buf\xdb\xff\xff\xff\xff",
                                  17) +
                              std::string(100'000, 'x');
  EXPECT_TRUE(absl::IsResourceExhausted(Read(endless, Envelope(), 4096, 50'000).status()));
}

TEST(StreamTest, AnExpandingMessageStopsAtTheLimit) {
  env::SimRandom random(1);
  const std::string bomb =
      MakeStream(UserMessage{std::string(900'000, 'x')}, Envelope(), true, random);
  EXPECT_LT(bomb.size(), 10'000u);
  EXPECT_TRUE(absl::IsResourceExhausted(Read(bomb, Envelope(), 4096, 100'000).status()));
}

TEST(StreamTest, AStructureWithoutEndIsRefused) {
  // A map that goes on and on would be read again with every piece of it.
  std::string endless = "\x06\xdf\x7f\xff\xff\xff";
  for (int i = 0; i < 10'000; ++i) endless += "\xa1x\x01";
  EXPECT_TRUE(absl::IsInvalidArgument(Read(endless, Envelope(), 1000).status()));
}

TEST(StreamTest, ANodeThatMayNotBeCalledThatIsLeftOut) {
  env::SimRandom random(1);
  PushPull state = State(3);
  state.nodes[1].name = "evil\nname";
  const auto again = Read(MakeStream(state, Envelope(), false, random), Envelope(), 1000);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(std::get<PushPull>(*again).nodes.size(), 2u);
  EXPECT_EQ(std::get<PushPull>(*again).user_state, state.user_state);
}

TEST(StreamTest, OtherTypesAreRefused) {
  for (const char type : {'\x01', '\x03', '\x07', '\x0c', '\x21'}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Read(std::string(1, type), Envelope(), 1).status()));
  }
}

}  // namespace
}  // namespace cairn::gossip
