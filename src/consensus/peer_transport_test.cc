// What is sent arrives in order, or its sender learns that it does not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "consensus/peer_transport_testing.h"

namespace cairn::consensus {
namespace {

using testing::ElementsAre;

TEST_F(PeerTransportTest, DeliversInOrderToTheRightGroup) {
  Connect();
  for (uint64_t i = 1; i <= 10'000; ++i) ASSERT_TRUE(Probe(i));
  executor_.RunFor(kSecond);
  ASSERT_EQ(b_->probes.size(), 10'000u);
  for (uint64_t i = 1; i <= 10'000; ++i) ASSERT_EQ(b_->probes[i - 1], i);
  EXPECT_EQ(b_->last_from, NodeId(1));
  EXPECT_EQ(b_->last_group, GroupId(7));
  EXPECT_EQ(a_->transport().counters().messages_sent, 10'000u);
  EXPECT_EQ(b_->transport().counters().messages_received, 10'000u);
  EXPECT_EQ(a_->transport().queued_bytes(NodeId(2)), 0u);
}

TEST_F(PeerTransportTest, EntriesArriveWholeAndShareOneBuffer) {
  Connect();
  AppendEntries message{
      .term = Term(3), .prev_index = Index(4), .prev_term = Term(2), .commit = Index(4)};
  for (const size_t size : {0u, 10u, 5000u, 200'000u, 3'000'000u}) {
    message.entries.push_back(EntryOf(message.entries.size() + 5, size));
  }
  message.count = 5;
  ASSERT_TRUE(a_->transport().Send(NodeId(2), GroupId(1), message));
  EXPECT_EQ(message.entries[3].buffer.use_count(), 2) << "shared, not copied";
  executor_.RunFor(kSecond);
  EXPECT_EQ(message.entries[3].buffer.use_count(), 1) << "and let go";
  ASSERT_EQ(b_->messages.size(), 1u);
  const auto& received = std::get<AppendEntries>(b_->messages[0]);
  EXPECT_EQ(received.term, Term(3));
  EXPECT_EQ(received.prev_index, Index(4));
  EXPECT_EQ(received.count, 5u);
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(received.entries[i].header, message.entries[i].header);
    EXPECT_TRUE(received.entries[i].body() == message.entries[i].body());
    EXPECT_EQ(received.entries[i].buffer, received.entries[0].buffer);
  }
}

TEST_F(PeerTransportTest, HeartbeatsOfManyGroupsShareWrites) {
  Connect();
  const uint64_t before = a_->transport().counters().writes;
  for (uint64_t group = 1; group <= 500; ++group) {
    ASSERT_TRUE(a_->transport().Send(NodeId(2), GroupId(group), AppendEntries{.term = Term(1)}));
  }
  executor_.RunFor(10 * kMs);
  EXPECT_EQ(b_->messages.size(), 500u);
  EXPECT_LE(a_->transport().counters().writes - before, 2u);
}

TEST_F(PeerTransportTest, TheQueueIsBoundedByBytesAndTellsWhenItHasRoom) {
  Connect({.queue_limit_bytes = 1 << 20});
  fabric_.Pause("n2");
  uint64_t sent = 0;
  while (a_->transport().Send(NodeId(2), GroupId(1), AppendOf(sent + 1, 10'000))) ++sent;
  executor_.RunFor(kSecond);
  while (a_->transport().Send(NodeId(2), GroupId(1), AppendOf(sent + 1, 10'000))) ++sent;
  EXPECT_GE(a_->transport().queued_bytes(NodeId(2)), size_t{1} << 20);
  EXPECT_LE(a_->transport().queued_bytes(NodeId(2)), (size_t{1} << 20) + 20'000);
  EXPECT_GT(a_->transport().counters().messages_refused, 0u);
  int told = 0;
  for (int i = 0; i < 3; ++i) {
    a_->transport().NotifyWritable(NodeId(2), [&] {
      ++told;
      EXPECT_LT(a_->transport().queued_bytes(NodeId(2)), size_t{1} << 19);
    });
  }
  executor_.RunFor(kSecond);
  EXPECT_EQ(told, 0);
  fabric_.Resume("n2");
  executor_.RunFor(kSecond);
  EXPECT_EQ(told, 3);
  ASSERT_EQ(b_->messages.size(), sent) << "what was taken over arrives";
  a_->transport().NotifyWritable(NodeId(2), [&] { ++told; });
  executor_.RunFor(kMs);
  EXPECT_EQ(told, 4);
}

TEST_F(PeerTransportTest, NothingIsTakenOverWithoutAConnection) {
  a_ = NewNode(1);
  EXPECT_FALSE(Probe(1));
  a_->transport().SetPeer(NodeId(2), "n2:8400");
  bool told = false;
  a_->transport().NotifyWritable(NodeId(2), [&] { told = true; });
  executor_.RunFor(10 * kSecond);
  EXPECT_FALSE(Probe(2));
  EXPECT_FALSE(told);
  EXPECT_LE(a_->transport().counters().dials, 20u);
  b_ = NewNode(2);
  executor_.RunFor(3 * kSecond);
  EXPECT_TRUE(told);
  EXPECT_TRUE(Probe(3));
  executor_.RunFor(kSecond);
  EXPECT_THAT(b_->probes, ElementsAre(3));
}

TEST_F(PeerTransportTest, ComesBackAfterAResetAndAfterALongCut) {
  Connect();
  fabric_.ResetConnections("n1", "n2");
  executor_.RunFor(10 * kMs);
  EXPECT_THAT(a_->downs, ElementsAre(2));
  executor_.RunFor(500 * kMs);
  EXPECT_THAT(a_->ups, ElementsAre(2, 2));
  EXPECT_TRUE(Probe(1));
  executor_.RunFor(kSecond);
  fabric_.CutBoth("n1", "n2");
  executor_.RunFor(60 * kSecond);
  EXPECT_THAT(a_->downs, ElementsAre(2, 2));
  EXPECT_FALSE(Probe(2));
  EXPECT_LE(a_->transport().counters().dials, 60u);
  fabric_.HealAll();
  executor_.RunFor(5 * kSecond);
  EXPECT_TRUE(Probe(3));
  executor_.RunFor(kSecond);
  EXPECT_THAT(b_->probes, ElementsAre(1, 3));
}

TEST_F(PeerTransportTest, AShortCutLosesNothing) {
  Connect();
  fabric_.CutBoth("n1", "n2");
  for (uint64_t i = 0; i < 100; ++i) {
    EXPECT_TRUE(Probe(i));
    executor_.RunFor(20 * kMs);
  }
  fabric_.HealAll();
  executor_.RunFor(kSecond);
  EXPECT_EQ(b_->probes.size(), 100u);
  EXPECT_THAT(a_->downs, ElementsAre());
}

TEST_F(PeerTransportTest, ACutOfOneDirectionIsNoticedByBoth) {
  for (const bool forth : {true, false}) {
    Connect();
    fabric_.Cut(forth ? "n1" : "n2", forth ? "n2" : "n1");
    executor_.RunFor(7 * kSecond);
    EXPECT_THAT(a_->downs, ElementsAre(2)) << forth;
    EXPECT_THAT(b_->downs, ElementsAre(1)) << forth;
    EXPECT_FALSE(Probe(1));
    const int64_t silent_ms =
        clock_.MonotonicNs() / kMs - b_->transport().LastHeardMs(NodeId(1)).value();
    if (forth) {
      EXPECT_GE(silent_ms, 6000);
    }
    fabric_.HealAll();
    executor_.RunFor(5 * kSecond);
    EXPECT_TRUE(Probe(2));
    a_.reset();
    b_.reset();
  }
}

TEST_F(PeerTransportTest, AnIdleConnectionStaysUpAndIsHeard) {
  Connect();
  executor_.RunFor(3600 * kSecond);
  EXPECT_THAT(a_->downs, ElementsAre());
  EXPECT_LE(clock_.MonotonicNs() / kMs - a_->transport().LastHeardMs(NodeId(2)).value(), 1600);
  EXPECT_EQ(a_->transport().LastHeardMs(NodeId(3)), std::nullopt);
}

TEST_F(PeerTransportTest, ADeadMachineIsNoticedAndItsSuccessorFound) {
  Connect();
  fabric_.Kill("n2", env::SimNetwork::Death::kSilent);
  executor_.RunFor(7 * kSecond);
  EXPECT_THAT(a_->downs, ElementsAre(2));
  b_.reset();
  b_ = NewNode(2);
  executor_.RunFor(4 * kSecond);
  EXPECT_TRUE(Probe(1));
}

TEST_F(PeerTransportTest, RemovedPeersAreLeftAlone) {
  Connect();
  const uint64_t dials = a_->transport().counters().dials;
  a_->transport().RemovePeer(NodeId(2));
  executor_.RunFor(10 * kSecond);
  EXPECT_FALSE(Probe(1));
  EXPECT_EQ(a_->transport().counters().dials, dials);
  EXPECT_THAT(a_->downs, ElementsAre(2));
}

// Messages may be lost with their connection, but never reordered, doubled or damaged.
TEST_F(PeerTransportTest, StaysInOrderThroughRandomFaults) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    env::SimRandom chance(seed);
    Connect();
    fabric_.SetResetChance(1u << 24);
    uint64_t sent = 0;
    uint64_t taken = 0;
    for (int step = 0; step < 300; ++step) {
      for (uint64_t n = chance.Below(20); n > 0; --n) {
        taken += Probe(++sent) ? 1 : 0;
        if (chance.Below(4) == 0) {
          a_->transport().Send(NodeId(2), GroupId(1), AppendOf(1 + sent, chance.Below(100'000)));
        }
      }
      switch (chance.Below(40)) {
        case 0:
          fabric_.Cut("n1", "n2");
          break;
        case 1:
          fabric_.Cut("n2", "n1");
          break;
        case 2:
          fabric_.HealAll();
          break;
        case 3:
          fabric_.ResetConnections("n1", "n2");
          break;
        case 4:
          fabric_.SetDelay("n1", "n2", static_cast<int64_t>(chance.Below(500)) * kMs);
          break;
        default:
          break;
      }
      executor_.RunFor(static_cast<int64_t>(chance.Below(200)) * kMs);
    }
    fabric_.SetResetChance(0);
    fabric_.HealAll();
    fabric_.SetDelay("n1", "n2", 0);
    executor_.RunFor(20 * kSecond);
    EXPECT_TRUE(Probe(++sent)) << "seed " << seed;
    executor_.RunFor(kSecond);
    ASSERT_FALSE(b_->probes.empty());
    EXPECT_EQ(b_->probes.back(), sent);
    EXPECT_TRUE(std::is_sorted(b_->probes.begin(), b_->probes.end(), std::less_equal<>()));
    EXPECT_LE(b_->probes.size(), taken + 1);
    EXPECT_EQ(b_->rejections.size(),
              b_->transport().counters().rejected(PeerRejection::kTruncated) +
                  b_->transport().counters().rejected(PeerRejection::kHandshakeTimeout))
        << "seed " << seed;
    a_.reset();
    b_.reset();
  }
}

TEST_F(PeerTransportTest, TheSameSeedSendsTheSameBytes) {
  std::vector<std::string> traces;
  for (int run = 0; run < 2; ++run) {
    env::SimClock clock;
    env::SimExecutor executor(clock);
    env::SimRandom random(42);
    env::SimNetwork fabric(clock, executor, random, {.reset_chance = 1u << 26});
    TransportNode a(fabric, executor, clock, random, 1);
    TransportNode b(fabric, executor, clock, random, 2);
    a.transport().SetPeer(NodeId(2), b.address());
    std::string trace;
    for (uint64_t i = 0; i < 200; ++i) {
      a.transport().Send(NodeId(2), GroupId(1), ProbeOf(i));
      executor.RunFor(37 * kMs);
      const PeerCounters counters = a.transport().counters();
      trace += base::StrCat(b.probes.size(), " ", counters.bytes_sent, " ", counters.dials, " ",
                            clock.MonotonicNs(), "\n");
    }
    traces.push_back(trace);
  }
  EXPECT_EQ(traces[0], traces[1]);
}

TEST_F(PeerTransportTest, StopEndsEverythingAndSaysSo) {
  Connect();
  std::vector<PeerResponder> responders;
  b_->on_request = [&](uint16_t, std::string, PeerResponder responder) {
    responders.push_back(std::move(responder));
  };
  absl::Status called;
  a_->transport().Call(NodeId(2), 1, "x", kSecond, [&](auto r) { called = r.status(); });
  absl::Status dialled;
  a_->transport().CallAddress(b_->address(), 1, "x", kSecond,
                              [&](auto r) { dialled = r.status(); });
  executor_.RunFor(100 * kMs);
  ASSERT_EQ(responders.size(), 2u);
  a_.reset();
  EXPECT_TRUE(absl::IsCancelled(called)) << called;
  EXPECT_TRUE(absl::IsCancelled(dialled)) << dialled;
  executor_.RunFor(100 * kMs);
  EXPECT_THAT(b_->downs, ElementsAre(1));
  b_.reset();
  for (PeerResponder& responder : responders) responder.Respond("too late");
  executor_.RunFor(100 * kMs);
  EXPECT_EQ(fabric_.open_streams(), 0u);
}

}  // namespace
}  // namespace cairn::consensus
