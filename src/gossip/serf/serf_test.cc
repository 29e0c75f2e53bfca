#include "gossip/serf/serf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gossip/serf/serf_cluster_testing.h"

namespace cairn::gossip {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

// `size` nodes that have found each other.
std::unique_ptr<SerfCluster> Formed(size_t size, SerfCluster::Options options = {},
                                    int64_t settle_ns = 5 * kNsPerSecond) {
  auto cluster = std::make_unique<SerfCluster>(std::move(options));
  for (size_t i = 0; i < size; ++i) {
    cluster->Add();
    if (i > 0) cluster->Join(i, 0);
    cluster->RunFor(100 * kNsPerMs);
  }
  cluster->RunFor(settle_ns);
  // Whom the broadcasts have missed the next push/pull tells.
  const auto complete = [&] {
    for (size_t i = 0; i < size; ++i) {
      if (cluster->Seeing(base::StrCat("n", i), MemberStatus::kAlive) != size) return false;
    }
    return true;
  };
  for (int i = 0; i < 60 && !complete(); ++i) cluster->RunFor(kNsPerSecond);
  for (size_t i = 0; i < size; ++i) {
    EXPECT_EQ(cluster->Seeing(base::StrCat("n", i), MemberStatus::kAlive), size) << i;
    cluster->told(i).clear();
  }
  return cluster;
}

TEST(SerfTest, NodesFindEachOther) { Formed(10); }

TEST(SerfTest, ANodeThatDiesHasFailed) {
  auto cluster = Formed(5);
  cluster->Kill(2);
  cluster->RunFor(30 * kNsPerSecond);
  EXPECT_EQ(cluster->Seeing("n2", MemberStatus::kFailed), 4u);
  EXPECT_THAT(cluster->told(0), ElementsAre("member-failed n2"));
}

TEST(SerfTest, ANodeThatLeavesHasLeft) {
  auto cluster = Formed(5);
  bool done = false;
  cluster->On(2, [&](Serf& serf) { serf.Leave([&] { done = true; }); });
  cluster->RunFor(12 * kNsPerSecond);
  EXPECT_TRUE(done);
  EXPECT_THAT(cluster->told(0), ElementsAre("member-leave n2"));
  cluster->Kill(2);
  cluster->RunFor(60 * kNsPerSecond);
  EXPECT_EQ(cluster->Seeing("n2", MemberStatus::kLeft), 4u);
  EXPECT_THAT(cluster->told(0), ElementsAre("member-leave n2"));
}

TEST(SerfTest, LeavingAloneTakesTheTimeOfThePropagationOnly) {
  SerfCluster cluster;
  cluster.Add();
  bool done = false;
  cluster.On(0, [&](Serf& serf) { serf.Leave([&] { done = true; }); });
  cluster.RunFor(kNsPerSecond + kNsPerMs);
  EXPECT_TRUE(done);
}

TEST(SerfTest, ForceLeaveMakesAFailedMemberOneThatLeft) {
  auto cluster = Formed(4);
  EXPECT_TRUE(absl::IsNotFound(
      cluster->On(0, [](Serf& serf) { return serf.ForceLeave("nobody", false); })));
  EXPECT_TRUE(absl::IsFailedPrecondition(
      cluster->On(0, [](Serf& serf) { return serf.ForceLeave("n0", false); })));
  cluster->Kill(3);
  cluster->RunFor(30 * kNsPerSecond);
  EXPECT_TRUE(cluster->On(0, [](Serf& serf) { return serf.ForceLeave("n3", false); }).ok());
  cluster->RunFor(5 * kNsPerSecond);
  EXPECT_EQ(cluster->Seeing("n3", MemberStatus::kLeft), 3u);
  EXPECT_TRUE(cluster->On(0, [](Serf& serf) { return serf.ForceLeave("n3", true); }).ok());
  cluster->RunFor(5 * kNsPerSecond);
  EXPECT_EQ(cluster->Seeing("n3", MemberStatus::kNone), 3u);
  EXPECT_THAT(cluster->told(1),
              ElementsAre("member-failed n3", "member-leave n3", "member-reap n3"));
}

TEST(SerfTest, ALivingNodeIsNotForcedOut) {
  auto cluster = Formed(4);
  EXPECT_TRUE(cluster->On(0, [](Serf& serf) { return serf.ForceLeave("n3", false); }).ok());
  cluster->RunFor(10 * kNsPerSecond);
  EXPECT_EQ(cluster->Seeing("n3", MemberStatus::kAlive), 4u) << "it says that it is here";
}

TEST(SerfTest, FailedNodesAreAskedToComeBack) {
  auto cluster = Formed(4);
  cluster->SetGroup(3, 1);
  cluster->RunFor(120 * kNsPerSecond);
  EXPECT_EQ(cluster->StatusOf(0, "n3"), MemberStatus::kFailed);
  EXPECT_EQ(cluster->StatusOf(3, "n0"), MemberStatus::kFailed);
  cluster->SetGroup(3, 0);
  cluster->RunFor(180 * kNsPerSecond);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(cluster->Seeing(base::StrCat("n", i), MemberStatus::kAlive), 4u) << i;
  }
}

TEST(SerfTest, FailedAndLeftNodesAreForgottenInTheEnd) {
  auto cluster = Formed(3, {.configure = [](SerfConfig& config) {
                          config.reconnect_timeout_ns = 60 * kNsPerSecond;
                          config.tombstone_timeout_ns = 60 * kNsPerSecond;
                        }});
  cluster->On(1, [](Serf& serf) { serf.Leave(nullptr); });
  cluster->RunFor(15 * kNsPerSecond);
  cluster->Kill(1);
  cluster->Kill(2);
  cluster->RunFor(150 * kNsPerSecond);
  EXPECT_EQ(cluster->at(0).members().size(), 1u);
  EXPECT_THAT(cluster->told(0), Contains("member-reap n1"));
  EXPECT_THAT(cluster->told(0), Contains("member-reap n2"));
}

TEST(SerfTest, TagsAreSeenByAllAndMayChange) {
  auto cluster = Formed(3, {.configure = [](SerfConfig& config) {
                          config.tags = {{"role", "broker"}, {"name", config.swim.name}};
                        }});
  EXPECT_EQ(cluster->at(0).Find("n2")->tags, (Tags{{"role", "broker"}, {"name", "n2"}}));
  EXPECT_TRUE(cluster->On(2, [](Serf& serf) { return serf.SetTags({{"role", "idle"}}); }).ok());
  cluster->RunFor(3 * kNsPerSecond);
  EXPECT_EQ(cluster->at(0).Find("n2")->tags, (Tags{{"role", "idle"}}));
  EXPECT_THAT(cluster->told(0), ElementsAre("member-update n2"));
  EXPECT_FALSE(cluster->On(2, [](Serf& serf) { return serf.SetTags({{"a", "\n"}}); }).ok());
}

TEST(SerfTest, AnEventIsToldEverybodyOnce) {
  auto cluster = Formed(8);
  EXPECT_TRUE(
      cluster->On(3, [](Serf& serf) { return serf.SendEvent("deploy", "v1", false); }).ok());
  cluster->RunFor(5 * kNsPerSecond);
  for (size_t i = 0; i < 8; ++i) EXPECT_THAT(cluster->told(i), ElementsAre("event deploy v1"));
  EXPECT_TRUE(absl::IsInvalidArgument(cluster->On(
      3, [](Serf& serf) { return serf.SendEvent("x", std::string(512, 'y'), false); })));
}

TEST(SerfTest, WhoJoinsLaterHearsOldEventsUnlessItDoesNotWantThem) {
  auto cluster = Formed(2);
  cluster->SendEvent(0, "old", "", false);
  cluster->RunFor(5 * kNsPerSecond);
  const size_t curious = cluster->Add();
  cluster->On(curious, [](Serf& s) { s.Join(SerfCluster::AddressOf(0), false, nullptr); });
  const size_t fresh = cluster->Add();
  cluster->On(fresh, [](Serf& s) { s.Join(SerfCluster::AddressOf(0), true, nullptr); });
  cluster->RunFor(60 * kNsPerSecond);
  EXPECT_THAT(cluster->told(curious), Contains("event old "));
  EXPECT_THAT(cluster->told(fresh), Not(Contains("event old ")));
}

TEST(SerfTest, EventsMayBeCoalesced) {
  auto cluster = Formed(2, {.configure = [](SerfConfig& config) {
                          config.event_coalesce_period_ns = 3 * kNsPerSecond;
                          config.event_coalesce_quiescent_ns = kNsPerSecond;
                        }});
  for (int i = 0; i < 5; ++i) {
    const std::string text = std::to_string(i);
    cluster->SendEvent(0, "deploy", text, true);
    cluster->SendEvent(0, "each", text, false);
    cluster->RunFor(300 * kNsPerMs);
  }
  cluster->RunFor(5 * kNsPerSecond);
  std::vector<std::string> deploys;
  for (const std::string& told : cluster->told(1)) {
    if (told.find("deploy") != std::string::npos) deploys.push_back(told);
  }
  EXPECT_THAT(deploys, ElementsAre("event deploy 4"));
  EXPECT_THAT(cluster->told(1), Contains("event each 0"));
}

struct Heard {
  std::vector<std::string> acks;
  std::vector<std::string> responses;
  bool done = false;

  QueryCallbacks Callbacks() {
    return {[this](const std::string& from) { acks.push_back(from); },
            [this](const std::string& from, const std::string& payload) {
              responses.push_back(from + ":" + payload);
            },
            [this] { done = true; }};
  }
};

TEST(SerfTest, AQueryReachesAllAndIsAnsweredToTheAsker) {
  auto cluster = Formed(4);
  Heard heard;
  EXPECT_TRUE(
      cluster
          ->On(0,
               [&](Serf& serf) {
                 return serf.Ask(
                     {.name = "uptime", .payload = "?", .wants_acks = true, .relay_factor = 2},
                     heard.Callbacks());
               })
          .ok());
  cluster->RunFor(2 * kNsPerSecond);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_THAT(cluster->told(i), ElementsAre("query uptime ?"));
    const auto respond = [&](Serf& serf) {
      return serf.Respond(cluster->handle(i), base::StrCat("up ", i));
    };
    EXPECT_TRUE(cluster->On(i, respond).ok());
    EXPECT_TRUE(absl::IsNotFound(cluster->On(i, respond))) << "once";
  }
  cluster->RunFor(10 * kNsPerSecond);
  EXPECT_TRUE(heard.done);
  EXPECT_THAT(heard.acks, UnorderedElementsAre("n0", "n1", "n2", "n3"));
  EXPECT_THAT(heard.responses, UnorderedElementsAre("n0:up 0", "n1:up 1", "n2:up 2", "n3:up 3"));
}

TEST(SerfTest, RelaysBringResponsesThatTheStraightWayLoses) {
  auto cluster = Formed(6, {.seed = 2, .loss = 0.3}, 60 * kNsPerSecond);
  const auto answers = [&](uint8_t relay_factor) {
    size_t heard_of = 0;
    for (int round = 0; round < 20; ++round) {
      Heard heard;
      cluster->Ask(0, {.name = "x", .wants_acks = true, .relay_factor = relay_factor},
                   heard.Callbacks());
      cluster->RunFor(10 * kNsPerSecond);
      EXPECT_TRUE(heard.done);
      heard_of += heard.acks.size();
    }
    return heard_of;
  };
  const size_t straight = answers(0);
  EXPECT_GT(answers(5), straight + 10) << "of 120";
}

TEST(SerfTest, FiltersSayWhoIsMeant) {
  auto cluster = Formed(4, {.configure = [](SerfConfig& config) {
                          config.tags = {{"role", config.swim.name == "n1" ? "web-1" : "db"}};
                        }});
  Heard heard;
  const auto ask = [&](QueryFilter filter) {
    heard = {};
    cluster->Ask(0, {.name = "x", .filters = {filter}, .wants_acks = true}, heard.Callbacks());
    cluster->RunFor(10 * kNsPerSecond);
    return heard.acks;
  };
  EXPECT_THAT(ask(NodeFilter{{"n2", "n3"}}), UnorderedElementsAre("n2", "n3"));
  EXPECT_THAT(ask(TagFilter{"role", "^web-[0-9]$"}), ElementsAre("n1"));
  EXPECT_THAT(ask(TagFilter{"role", "("}), IsEmpty()) << "not an expression";
  EXPECT_THAT(ask(TagFilter{"rack", "."}), IsEmpty()) << "no such tag";
}

TEST(SerfTest, KeysAreRotatedByQueries) {
  const std::string first(16, 'a');
  const std::string second(32, 'b');
  auto cluster = Formed(3, {.configure = [&](SerfConfig& config) { config.keys = {first}; }});
  const auto ask = [&](KeyOperation operation, const std::string& key) {
    KeyResult result;
    EXPECT_TRUE(cluster
                    ->On(0,
                         [&](Serf& serf) {
                           return serf.AskKeys(operation, key, [&](KeyResult r) { result = r; });
                         })
                    .ok());
    cluster->RunFor(10 * kNsPerSecond);
    EXPECT_EQ(result.members, 3u);
    EXPECT_EQ(result.answers, 3u);
    return result;
  };
  EXPECT_EQ(ask(KeyOperation::kInstall, second).errors, 0u);
  EXPECT_EQ(ask(KeyOperation::kRemove, first).errors, 3u) << "it is the primary";
  EXPECT_EQ(ask(KeyOperation::kUse, second).errors, 0u);
  EXPECT_EQ(ask(KeyOperation::kRemove, first).errors, 0u);
  const KeyResult list = ask(KeyOperation::kList, "");
  EXPECT_EQ(list.keys, (std::map<std::string, size_t>{{FormatKey(second), 3}}));
  EXPECT_EQ(list.primary_keys, list.keys);
  cluster->RunFor(60 * kNsPerSecond);
  EXPECT_EQ(cluster->Seeing("n2", MemberStatus::kAlive), 3u);
  EXPECT_EQ(cluster->failures_told(), 0u);
}

TEST(SerfTest, WithoutEncryptionThereAreNoKeys) {
  auto cluster = Formed(1);
  EXPECT_TRUE(absl::IsFailedPrecondition(
      cluster->On(0, [](Serf& s) { return s.AskKeys(KeyOperation::kList, "", nullptr); })));
}

TEST(SerfTest, TheSecondOfTwoWithOneNameLosesIt) {
  auto cluster = Formed(4);
  const size_t twin = cluster->Add("n1");
  cluster->Join(twin, 0);
  cluster->RunFor(30 * kNsPerSecond);
  EXPECT_THAT(cluster->told(twin), Contains("name lost"));
  EXPECT_THAT(cluster->told(1), Not(Contains("name lost")));
}

TEST(SerfTest, ARestartedNodeIsBackWithAHigherIncarnation) {
  auto cluster = Formed(4);
  cluster->Kill(3);
  cluster->RunFor(3 * kNsPerSecond);  // not even noticed
  const SerfSnapshot snapshot = cluster->at(3).snapshot();
  EXPECT_EQ(snapshot.members.size(), 3u);
  EXPECT_EQ(DecodeSnapshot(EncodeSnapshot(snapshot)).value(), snapshot);
}

TEST(SerfTest, ARestoredNodeDoesNotHearOldEventsAgain) {
  auto cluster = Formed(2);
  cluster->SendEvent(0, "old", "", false);
  cluster->RunFor(5 * kNsPerSecond);
  cluster->Kill(1);
  const size_t restored = cluster->Add("n1b", cluster->at(1).snapshot());
  cluster->Join(restored, 0);
  cluster->RunFor(5 * kNsPerSecond);
  cluster->SendEvent(0, "new", "", false);
  cluster->RunFor(5 * kNsPerSecond);
  EXPECT_THAT(cluster->told(restored), Not(Contains("event old ")));
  EXPECT_THAT(cluster->told(restored), Contains("event new "));
}

TEST(SerfTest, ForgedTimesDoNotTurnTheClocks) {
  auto cluster = Formed(1);
  const auto forge = [&](const std::string& message) {
    env::SimRandom random(1);
    const std::string packet = MakePacket("\x08" + message, Envelope(), {}, random);
    cluster->On(0,
                [&](Serf& s) { s.OnPacket(cluster->now_ns(), SerfCluster::AddressOf(9), packet); });
  };
  const LamportTime before = cluster->at(0).member_time();
  forge(Encode(JoinIntent{UINT64_MAX, "x"}));
  forge(Encode(LeaveIntent{UINT64_MAX, "n0", true}));
  forge(Encode(UserEvent{UINT64_MAX, "x", "", false}));
  forge(Encode(Query{.time = UINT64_MAX, .name = "x"}));
  forge(Encode(SerfPushPull{}));
  EXPECT_EQ(cluster->at(0).counters().messages_refused, 5u);
  EXPECT_EQ(cluster->at(0).member_time(), before);
  forge(Encode(Relay{SerfCluster::AddressOf(7), "stranger", "\x05x"}));
  EXPECT_EQ(cluster->at(0).counters().relays_refused, 1u);
}

TEST(SerfTest, ACreatedNodeMakesSense) {
  env::SimRandom random(1);
  SerfConfig config;
  config.swim.name = "a";
  EXPECT_TRUE(absl::IsInvalidArgument(Serf::Create(config, random, 0).status()));
  config.swim.address = SerfCluster::AddressOf(1);
  EXPECT_TRUE(Serf::Create(config, random, 0).ok());
  config.keys = {"short"};
  EXPECT_TRUE(absl::IsInvalidArgument(Serf::Create(config, random, 0).status()));
  config.keys = {};
  config.tags = {{"x", std::string(600, 'x')}};
  EXPECT_TRUE(absl::IsInvalidArgument(Serf::Create(config, random, 0).status()));
}

TEST(SerfTest, CoordinatesPredictRoundTrips) {
  auto cluster = Formed(5, {.min_latency_ns = 20 * kNsPerMs, .max_latency_ns = 20 * kNsPerMs});
  cluster->RunFor(600 * kNsPerSecond);
  const Coordinate* other = cluster->at(0).CoordinateOf("n1");
  ASSERT_NE(other, nullptr);
  EXPECT_NEAR(DistanceSeconds(cluster->at(0).coordinate(), *other), 0.04, 0.01);
}

TEST(SerfTest, CoordinatesFromNowhereAreRefused) {
  Coordinate c;
  EXPECT_EQ(DecodeCoordinate(EncodeCoordinate(c)).value(), c);
  c.vector[3] = 0.0 / 0.0 * (c.error > 0 ? 1 : 0);
  c.height = 1e308 * 10;
  EXPECT_FALSE(DecodeCoordinate(EncodeCoordinate(c)).ok());
  EXPECT_FALSE(DecodeCoordinate("\x02\x80").ok());
  EXPECT_FALSE(DecodeCoordinate("").ok());
}

TEST(SerfSnapshotTest, WhatIsDamagedIsRefused) {
  EXPECT_FALSE(DecodeSnapshot("").ok());
  EXPECT_FALSE(DecodeSnapshot("something else\n").ok());
  const std::string title = "cairn gossip snapshot 1\n";
  EXPECT_TRUE(DecodeSnapshot(title).ok());
  EXPECT_FALSE(DecodeSnapshot(title + "clock 1 2\n").ok());
  EXPECT_FALSE(DecodeSnapshot(title + "clock 1 2 18446744073709551615\n").ok());
  EXPECT_FALSE(DecodeSnapshot(title + "member localhost:1 a\n").ok());
  EXPECT_FALSE(DecodeSnapshot(title + "member 10.0.0.1:1 \n").ok());
  EXPECT_EQ(DecodeSnapshot(title + "member 10.0.0.1:1 a b\n").value().members[0].name, "a b");
}

}  // namespace
}  // namespace cairn::gossip
