#include "gossip/swim/swim.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/strings.h"
#include "env/sim_random.h"
#include "gossip/swim/formulas.h"
#include "gossip/swim/versions.h"
#include "gossip/wire/message_codec.h"

namespace cairn::gossip {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Address At(int host) { return Address::Parse(base::StrCat("10.0.0.", host, ":7946")).value(); }

// One node, me at 10.0.0.1; its peers are this test, which sees what it sends as text:
// "10.0.0.2 ping a", "10.0.0.2 suspect b@3 by me", ...
class SwimTest : public testing::Test, public SwimDelegate {
 protected:
  SwimTest() { swim_.Start("meta"); }

  absl::Status CheckAlive(const Alive& alive) override {
    return alive.meta == "bad" ? absl::InvalidArgumentError("bad") : absl::OkStatus();
  }
  void OnJoined(const Member& m) override { events_.push_back("joined " + m.name); }
  void OnUpdated(const Member& m) override { events_.push_back("updated " + m.name); }
  void OnGone(const Member& m) override {
    events_.push_back(base::StrCat(ToString(m.state), " ", m.name));
  }
  void OnConflict(const Member& m, const Alive& other) override {
    events_.push_back("conflict " + m.name + " " + other.address.ToString());
  }
  void OnUserMessage(std::string_view m) override { events_.push_back(base::StrCat("user ", m)); }
  bool HasBroadcasts() const override { return false; }
  void TakeBroadcasts(size_t, size_t, std::vector<std::string>&) override {}
  std::string LocalState(bool) override { return "state"; }
  void MergeState(std::string_view s, bool) override {
    events_.push_back(base::StrCat("state ", s));
  }
  std::string AckPayload() override { return "here"; }
  void OnAck(const Member& m, int64_t ns, std::string_view payload) override {
    events_.push_back(base::StrCat("ack ", m.name, " ", ns / kNsPerMs, "ms ", payload));
  }

  void Receive(const std::string& message, int from = 9) {
    swim_.OnPacket(At(from), MakePacket(message, envelope_, {}, random_));
  }
  void Know(const std::string& name, int host, uint32_t incarnation = 1) {
    Receive(Encode(Alive{incarnation, name, At(host), "", Versions{}}));
  }
  // What the node has sent since the last call.
  std::vector<std::string> Sent() {
    std::vector<std::string> lines;
    Actions actions = swim_.TakeActions();
    for (const SendPacket& packet : actions.packets) {
      const auto opened = OpenedPacket::Open(packet.bytes, envelope_);
      for (const auto& m : opened->messages()) {
        std::string line = packet.to.ToString();
        line.resize(line.find(':'));
        lines.push_back(line + " " + Describe(m));
      }
    }
    for (const StartExchange& exchange : actions.exchanges) {
      lines.push_back(exchange.to.ToString() + " exchange");
      last_exchange_ = exchange.id;
    }
    return lines;
  }
  std::string Describe(const OpenedPacket::Message& m) {
    switch (m.type) {
      case MessageType::kPing: {
        const Ping ping = DecodePing(m.body).value();
        last_sequence_ = ping.sequence;
        return "ping " + ping.node;
      }
      case MessageType::kIndirectPing: {
        const IndirectPing ping = DecodeIndirectPing(m.body).value();
        return "ping-for-me " + ping.node + (ping.wants_nack ? " nack" : "");
      }
      case MessageType::kAck: {
        const Ack ack = DecodeAck(m.body).value();
        return base::StrCat("ack ", ack.sequence, " ", ack.payload);
      }
      case MessageType::kNack:
        return base::StrCat("nack ", DecodeNack(m.body).value().sequence);
      case MessageType::kAlive: {
        const Alive alive = DecodeAlive(m.body).value();
        return base::StrCat("alive ", alive.node, "@", alive.incarnation);
      }
      case MessageType::kSuspect: {
        const Suspect s = DecodeSuspect(m.body).value();
        return base::StrCat("suspect ", s.node, "@", s.incarnation, " by ", s.from);
      }
      case MessageType::kDead: {
        const Dead d = DecodeDead(m.body).value();
        return base::StrCat("dead ", d.node, "@", d.incarnation, " by ", d.from);
      }
      default:
        return "other";
    }
  }
  void RunFor(int64_t ns) {
    for (const int64_t end = scheduler_.now_ns() + ns; scheduler_.next_deadline_ns() <= end;) {
      scheduler_.Advance(scheduler_.next_deadline_ns());
    }
    end_ns_ += ns;
    scheduler_.Advance(end_ns_);
  }
  // Runs until a ping goes out; its target.
  std::string AwaitPing() {
    for (int i = 0; i < 10'000; ++i) {
      RunFor(kNsPerMs);
      for (const std::string& line : Sent()) {
        if (const size_t at = line.find(" ping "); at != std::string::npos) {
          return line.substr(at + 6);
        }
      }
    }
    return "";
  }
  // Answers every ping but those to `silent` for this long.
  std::vector<std::string> Live(int64_t ns, const std::string& silent) {
    std::vector<std::string> all;
    for (int64_t t = 0; t < ns; t += 10 * kNsPerMs) {
      RunFor(10 * kNsPerMs);
      for (const std::string& line : Sent()) {
        all.push_back(line);
        const size_t at = line.find(" ping ");
        if (at != std::string::npos && line.substr(at + 6) != silent) {
          Receive(Encode(Ack{last_sequence_, ""}));
        }
      }
    }
    return all;
  }
  std::vector<std::string> Events() { return std::exchange(events_, {}); }
  NodeState StateOf(const std::string& name) { return swim_.table().Find(name)->state; }

  env::SimRandom random_{1};
  Envelope envelope_;
  Scheduler scheduler_;
  SwimConfig config_{.name = "me", .address = At(1)};
  Swim swim_{config_, envelope_, scheduler_, random_, *this};
  std::vector<std::string> events_;
  uint32_t last_sequence_ = 0;
  uint64_t last_exchange_ = 0;
  int64_t end_ns_ = 0;
};

TEST_F(SwimTest, AnswersPingsMeantForIt) {
  Receive(Encode(Ping{7, "me", {}, ""}), 5);
  EXPECT_THAT(Sent(), Contains("10.0.0.5 ack 7 here"));
  Receive(Encode(Ping{8, "", At(6), "six"}), 5);
  EXPECT_THAT(Sent(), Contains("10.0.0.6 ack 8 here")) << "where the sender says";
  Receive(Encode(Ping{9, "somebody", {}, ""}), 5);
  EXPECT_THAT(Sent(), IsEmpty()) << "it was another node's address before";
}

TEST_F(SwimTest, TellsOfNewMembers) {
  Know("a", 2);
  EXPECT_THAT(Events(), ElementsAre("joined me", "joined a"));
  Know("a", 2);
  EXPECT_THAT(Events(), IsEmpty()) << "nothing new";
  RunFor(kNsPerSecond);
  EXPECT_THAT(Sent(), AllOf(Contains("10.0.0.2 alive a@1"), Contains("10.0.0.2 alive me@1")));
}

// SWIM 4.2: an older word does not count.
TEST_F(SwimTest, OlderIncarnationsDoNotCount) {
  Know("a", 2, 5);
  Receive(Encode(Suspect{4, "a", "b"}));
  Receive(Encode(Dead{4, "a", "b"}));
  EXPECT_EQ(StateOf("a"), NodeState::kAlive);
  Receive(Encode(Dead{5, "a", "b"}));
  EXPECT_EQ(StateOf("a"), NodeState::kDead);
  Know("a", 2, 5);
  EXPECT_EQ(StateOf("a"), NodeState::kDead) << "a dead node comes back with a higher one only";
  Know("a", 2, 6);
  EXPECT_THAT(Events(), ElementsAre("joined me", "joined a", "dead a", "joined a"));
}

TEST_F(SwimTest, RefutesWhatIsSaidOfIt) {
  Know("a", 2);
  Receive(Encode(Suspect{1, "me", "a"}));
  EXPECT_EQ(swim_.self().incarnation, 2u);
  Receive(Encode(Dead{9, "me", "a"}));
  EXPECT_EQ(swim_.self().incarnation, 10u);
  EXPECT_EQ(swim_.self().state, NodeState::kAlive);
  EXPECT_EQ(swim_.awareness(), 2) << "being accused is a sign of not being well (Lifeguard IV-A)";
  Receive(Encode(Dead{3, "me", "a"}));
  EXPECT_EQ(swim_.self().incarnation, 10u) << "said already";
  Receive(Encode(Dead{UINT32_MAX, "me", "a"}));
  EXPECT_EQ(swim_.self().incarnation, UINT32_MAX) << "it never goes back to 0";
  RunFor(kNsPerSecond);
  EXPECT_THAT(Sent(), Contains(base::StrCat("10.0.0.2 alive me@", UINT32_MAX)));
}

TEST_F(SwimTest, AProbeMeasuresTheRoundTrip) {
  Know("a", 2);
  Events();
  ASSERT_EQ(AwaitPing(), "a");
  RunFor(20 * kNsPerMs);
  Receive(Encode(Ack{last_sequence_, "there"}));
  EXPECT_THAT(Events(), ElementsAre(HasSubstr("ms there")));
  Receive(Encode(Ack{last_sequence_ + 1, "forged"}));
  EXPECT_THAT(Events(), IsEmpty());
}

// SWIM 3.1: three others are asked, and, memberlist's addition, TCP is tried.
TEST_F(SwimTest, AsksOthersBeforeItSuspects) {
  for (int i = 2; i < 7; ++i) Know(base::StrCat("n", i), i);
  const std::string target = AwaitPing();
  RunFor(499 * kNsPerMs);
  EXPECT_THAT(Sent(), Not(Contains(HasSubstr("ping-for-me"))));
  RunFor(2 * kNsPerMs);
  const std::vector<std::string> sent = Sent();
  int asked = 0;
  for (const std::string& line : sent) {
    if (line.find("ping-for-me " + target + " nack") != std::string::npos) ++asked;
  }
  EXPECT_EQ(asked, 3);
  EXPECT_THAT(sent, Contains(HasSubstr("exchange")));
  EXPECT_EQ(StateOf(target), NodeState::kAlive);
  RunFor(500 * kNsPerMs);
  EXPECT_EQ(StateOf(target), NodeState::kSuspect);
  EXPECT_EQ(swim_.awareness(), 3) << "none of three helpers said no";
}

TEST_F(SwimTest, HelpersThatSayNoSpareTheAwareness) {
  for (int i = 2; i < 7; ++i) Know(base::StrCat("n", i), i);
  const std::string target = AwaitPing();
  const uint32_t sequence = last_sequence_;
  RunFor(501 * kNsPerMs);
  for (int i = 0; i < 5; ++i) Receive(Encode(Nack{sequence}));
  RunFor(500 * kNsPerMs);
  EXPECT_EQ(StateOf(target), NodeState::kSuspect);
  EXPECT_EQ(swim_.awareness(), 0);
}

TEST_F(SwimTest, AnAnswerByTcpIsAnAnswer) {
  Know("a", 2);
  ASSERT_EQ(AwaitPing(), "a");
  const uint32_t sequence = last_sequence_;
  RunFor(501 * kNsPerMs);
  Sent();
  swim_.OnExchange(last_exchange_, StreamMessage(Ack{sequence, ""}));
  RunFor(500 * kNsPerMs);
  EXPECT_EQ(StateOf("a"), NodeState::kAlive);
}

TEST_F(SwimTest, PingsOnBehalfOfOthers) {
  Receive(Encode(IndirectPing{77, At(3), "c", true, At(4), "d"}));
  EXPECT_THAT(Sent(), Contains("10.0.0.3 ping c"));
  Receive(Encode(Ack{last_sequence_, "x"}));
  EXPECT_THAT(Sent(), Contains("10.0.0.4 ack 77 "));
  Receive(Encode(IndirectPing{78, At(3), "c", true, At(4), "d"}));
  Sent();
  RunFor(501 * kNsPerMs);
  EXPECT_THAT(Sent(), Contains("10.0.0.4 nack 78"));
  Receive(Encode(Ack{last_sequence_, "late"}));
  EXPECT_THAT(Sent(), IsEmpty());
}

TEST_F(SwimTest, PingsOnBehalfOfOthersAreBounded) {
  for (uint32_t i = 0; i < 2 * kMaxRelayedPings; ++i) {
    Receive(Encode(IndirectPing{i, At(3), "c", false, At(4), "d"}));
  }
  EXPECT_EQ(swim_.counters().messages_refused, kMaxRelayedPings);
}

// Lifeguard IV-B: between 4 s, when two confirm it, and 24 s, when nobody does.
TEST_F(SwimTest, ConfirmationsShortenASuspicion) {
  for (int i = 2; i < 7; ++i) Know(base::StrCat("n", i), i);
  const int64_t min_ns = 4 * kNsPerSecond;
  Receive(Encode(Suspect{1, "n2", "n3"}));
  // Its own probe is one confirmation of two: 24 s - log(2) / log(3) * 20 s = 11.4 s.
  Live(11 * kNsPerSecond, "n2");
  EXPECT_EQ(StateOf("n2"), NodeState::kSuspect);
  Live(kNsPerSecond, "n2");
  EXPECT_EQ(StateOf("n2"), NodeState::kDead);

  Receive(Encode(Suspect{1, "n4", "n5"}));
  Receive(Encode(Suspect{1, "n4", "n5"}));
  Receive(Encode(Suspect{1, "n4", "n6"}));
  Receive(Encode(Suspect{1, "n4", "n3"}));
  Live(min_ns - kNsPerSecond, "");
  EXPECT_EQ(StateOf("n4"), NodeState::kSuspect);
  Live(kNsPerSecond, "");
  EXPECT_EQ(StateOf("n4"), NodeState::kDead);
}

TEST_F(SwimTest, ASuspectThatSaysOtherwiseIsAlive) {
  for (int i = 2; i < 7; ++i) Know(base::StrCat("n", i), i);
  Receive(Encode(Suspect{1, "n2", "n3"}));
  Know("n2", 2, 2);
  Live(60 * kNsPerSecond, "");
  EXPECT_EQ(StateOf("n2"), NodeState::kAlive);
}

// Lifeguard IV-C.
TEST_F(SwimTest, ASuspectHearsOfItWithTheNextProbe) {
  Know("a", 2);
  Receive(Encode(Suspect{1, "a", "b"}));
  Sent();
  for (int i = 0; i < 3000; ++i) {
    RunFor(kNsPerMs);
    const auto sent = Sent();
    if (std::find(sent.begin(), sent.end(), "10.0.0.2 ping a") == sent.end()) continue;
    EXPECT_THAT(sent, Contains("10.0.0.2 suspect a@1 by me"));
    return;
  }
  FAIL() << "no probe";
}

TEST_F(SwimTest, AnothersDeathByItsOwnWordIsALeave) {
  Know("a", 2);
  Events();
  Receive(Encode(Dead{1, "a", "a"}));
  EXPECT_THAT(Events(), ElementsAre("left a"));
  Know("a", 22, 1);
  EXPECT_THAT(Events(), ElementsAre("joined a")) << "who left may come back, elsewhere too";
  EXPECT_EQ(swim_.table().Find("a")->address, At(22));
}

TEST_F(SwimTest, ANameBelongsToOneAddress) {
  Know("a", 2);
  Know("a", 3, 9);
  Know("me", 4, 9);
  EXPECT_THAT(Events(), ElementsAre("joined me", "joined a", "conflict a 10.0.0.3:7946",
                                    "conflict me 10.0.0.4:7946"));
  EXPECT_EQ(swim_.table().Find("a")->address, At(2));
  EXPECT_EQ(swim_.self().incarnation, 1u);
}

TEST_F(SwimTest, ThoseWithoutSenseAreNotLetIn) {
  Receive(Encode(Alive{1, "a", At(2), "bad", Versions{}}));
  Receive(Encode(Alive{1, "b", At(2), "", Versions{0, 0, 0, 0, 0, 0}}));
  Receive(Encode(Alive{1, "c", Address(), "", Versions{}}));
  EXPECT_EQ(swim_.table().size(), 1u);
  EXPECT_EQ(swim_.counters().members_refused, 3u);
}

TEST_F(SwimTest, TheDeadAreForgottenAfterAWhile) {
  Know("a", 2);
  Receive(Encode(Dead{1, "a", "b"}));
  RunFor(29 * kNsPerSecond);
  EXPECT_NE(swim_.table().Find("a"), nullptr);
  RunFor(5 * kNsPerSecond);
  EXPECT_EQ(swim_.table().Find("a"), nullptr);
}

TEST_F(SwimTest, LeavesWhenEverybodyWasTold) {
  Know("a", 2);
  bool told = false;
  swim_.Leave([&] { told = true; });
  EXPECT_FALSE(told);
  RunFor(5 * kNsPerSecond);
  EXPECT_TRUE(told);
  EXPECT_THAT(Sent(), Contains("10.0.0.2 dead me@1 by me"));
  Receive(Encode(Dead{1, "me", "a"}));
  Receive(Encode(Alive{5, "me", At(1), "", Versions{}}));
  EXPECT_EQ(swim_.self().state, NodeState::kLeft) << "nothing is refuted any more";
}

TEST_F(SwimTest, AloneItLeavesAtOnce) {
  bool told = false;
  swim_.Leave([&] { told = true; });
  EXPECT_TRUE(told);
}

TEST_F(SwimTest, APushPullBringsWhatTheOtherKnows) {
  PushPull remote{.join = true, .user_state = "theirs"};
  const auto node = [](const std::string& name, int host, NodeState state) {
    return PushNode{name, At(host), "", 3, state, Versions{}};
  };
  Know("d", 5);
  remote.nodes = {node("a", 2, NodeState::kAlive), node("b", 3, NodeState::kLeft),
                  node("d", 5, NodeState::kDead), node("me", 1, NodeState::kDead)};
  Events();
  const auto answer = swim_.OnStream(remote);
  ASSERT_TRUE(answer.has_value());
  EXPECT_THAT(Events(), ElementsAre("joined a", "state theirs"));
  EXPECT_EQ(StateOf("d"), NodeState::kSuspect) << "another's dead may still say it is not";
  EXPECT_EQ(swim_.self().incarnation, 4u) << "refuted";
}

TEST_F(SwimTest, AJoinReportsWhatTheOtherSays) {
  std::vector<absl::Status> results;
  const auto join = [&](absl::StatusOr<StreamMessage> answer) {
    swim_.Join(At(2), [&](absl::Status status) { results.push_back(status); });
    Sent();
    swim_.OnExchange(last_exchange_, std::move(answer));
  };
  join(PushPull{});
  join(ErrorMessage{"go away"});
  join(absl::UnavailableError("nobody there"));
  PushPull newer;
  newer.nodes = {{"x", At(2), "", 1, NodeState::kAlive, Versions{6, 9, 9, 2, 5, 5}}};
  join(newer);
  swim_.OnExchange(last_exchange_, PushPull{});  // a second time: nothing
  ASSERT_EQ(results.size(), 4u);
  EXPECT_TRUE(results[0].ok());
  EXPECT_THAT(results[1].ToString(), HasSubstr("UNAVAILABLE: the node refuses: go away"));
  EXPECT_TRUE(absl::IsUnavailable(results[2]));
  EXPECT_TRUE(absl::IsFailedPrecondition(results[3])) << results[3];
  EXPECT_EQ(swim_.table().Find("x"), nullptr);
}

TEST_F(SwimTest, WhatIsForgedOrBrokenIsCounted) {
  swim_.OnPacket(At(9), "nonsense");
  Receive("\x03\x80");  // a suspicion of nobody
  Receive("\x0d\x80");
  EXPECT_EQ(swim_.counters().packets_refused, 1u);
  EXPECT_EQ(swim_.counters().messages_refused, 2u);
  ASSERT_TRUE(envelope_.keyring.Install(std::string(16, 'k')).ok());
  swim_.OnPacket(At(9), std::string(40, '\x01'));
  EXPECT_EQ(swim_.counters().packets_unsealed, 1u);
}

TEST(SwimFormulasTest, AreThoseOfThePapers) {
  EXPECT_EQ(RetransmitLimit(4, 1), 4);
  EXPECT_EQ(RetransmitLimit(4, 9), 4);
  EXPECT_EQ(RetransmitLimit(4, 10), 8);
  EXPECT_EQ(RetransmitLimit(4, 999), 12);
  EXPECT_EQ(SuspicionTimeoutNs(4, 5, kNsPerSecond), 4 * kNsPerSecond);
  EXPECT_EQ(SuspicionTimeoutNs(4, 1000, kNsPerSecond), 12 * kNsPerSecond);
  const int64_t min_ns = 2 * kNsPerSecond;
  const int64_t max_ns = 30 * kNsPerSecond;
  EXPECT_EQ(ConfirmedTimeoutNs(0, 3, min_ns, max_ns), max_ns);
  EXPECT_EQ(ConfirmedTimeoutNs(1, 3, min_ns, max_ns), 16 * kNsPerSecond);
  EXPECT_EQ(ConfirmedTimeoutNs(3, 3, min_ns, max_ns), min_ns);
  EXPECT_EQ(PushPullIntervalNs(30, 32), 30);
  EXPECT_EQ(PushPullIntervalNs(30, 33), 60);
  EXPECT_EQ(PushPullIntervalNs(30, 128), 90);
}

TEST(SwimVersionsTest, EverybodyUnderstandsEverybody) {
  const Versions now;
  EXPECT_TRUE(CheckVersions({{"a", now}, {"b", now}}).ok());
  EXPECT_TRUE(CheckVersions({{"a", now}, {"old", {0, 0, 0, 0, 0, 0}}}).ok());
  EXPECT_FALSE(CheckVersions({{"a", now}, {"b", {3, 5, 3, 2, 5, 5}}}).ok());
  EXPECT_FALSE(CheckVersions({{"a", now}, {"b", {1, 5, 2, 2, 4, 4}}}).ok());
}

TEST(BroadcastQueueTest, SendsTheLeastSentFirstAndEachAsOftenAsTheLimit) {
  BroadcastQueue queue;
  queue.Add("a", "aaaa");
  queue.Add("b", "bb");
  std::vector<std::string> sent;
  queue.Take(2, 6, 2, sent);
  EXPECT_THAT(sent, ElementsAre("aaaa")) << "the longest first";
  queue.Take(2, 6, 2, sent);
  EXPECT_THAT(sent, ElementsAre("aaaa", "bb"));
  queue.Take(2, 100, 2, sent);
  EXPECT_THAT(sent, ElementsAre("aaaa", "bb", "aaaa", "bb"));
  EXPECT_TRUE(queue.empty());
}

TEST(BroadcastQueueTest, ANewerMessageInvalidatesTheOlder) {
  BroadcastQueue queue;
  int finished = 0;
  queue.Add("a", "old", [&] { ++finished; });
  queue.Add("", "other", [&] { ++finished; });
  queue.Add("a", "new");
  EXPECT_EQ(finished, 1);
  std::vector<std::string> sent;
  queue.Take(0, 100, 1, sent);
  EXPECT_THAT(sent, ElementsAre("other", "new"));
  EXPECT_EQ(finished, 2);
}

TEST(BroadcastQueueTest, IsBounded) {
  BroadcastQueue queue;
  for (size_t i = 0; i < BroadcastQueue::kMaxMessages + 10; ++i) queue.Add("", "message");
  EXPECT_EQ(queue.size(), BroadcastQueue::kMaxMessages);
}

}  // namespace
}  // namespace cairn::gossip
