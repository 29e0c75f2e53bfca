// The guards whose faults take a group and time: scenarios on CoreSim.
#include <gtest/gtest.h>

#include <initializer_list>

#include "consensus/core_sim.h"
#include "consensus/libraft/lone_core.h"

namespace cairn::consensus {
namespace {

using ::testing::AssertionResult;

CoreSim::Options With(const Guards& guards, uint64_t seed) {
  CoreSim::Options options;
  options.seed = seed;
  options.guards = guards;
  return options;
}

CoreSim::Node* Elected(CoreSim& sim, std::initializer_list<int> among, int64_t ms = 20000) {
  CoreSim::Node* leader = nullptr;
  sim.RunUntil(ms, [&] {
    for (const int id : among) {
      if (sim.node(id).leads()) leader = &sim.node(id);
    }
    return leader != nullptr;
  });
  return leader;
}

std::vector<int> Others(std::initializer_list<int> all, const CoreSim::Node& but) {
  std::vector<int> result;
  for (const int id : all) {
    if (NodeId(id) != but.id) result.push_back(id);
  }
  return result;
}

void Fill(CoreSim& sim, CoreSim::Node& leader, int batches) {
  for (int i = 0; i < batches; ++i) {
    sim.Propose(leader, 3).IgnoreError();
    sim.Run(20);
  }
}

AssertionResult Verdict(CoreSim& sim, bool well, const std::string& otherwise) {
  if (!sim.violation().empty()) return Wrong() << sim.violation();
  return well ? Well() : Wrong() << otherwise;
}

TEST(GuardsGroupTest, G1AFollowerThatCompactedFurtherIsNotStuck) {
  ExpectNeeds(&Guards::anchor_at_commit, [](const Guards& guards) -> AssertionResult {
    CoreSim sim(With(guards, 6));
    sim.Boot(Voters({1, 2, 3}));
    CoreSim::Node* leader = Elected(sim, {1, 2, 3});
    sim.Run(1000);
    CoreSim::Node& follower = sim.node(Others({1, 2, 3}, *leader)[0]);
    sim.Cut(follower.id.value(), leader->id.value());  // its acknowledgements are lost
    Fill(sim, *leader, 20);
    sim.Run(2500);
    sim.Compact(follower, follower.applied - 1);
    sim.Run(300);
    sim.Heal();
    sim.Propose(*leader).IgnoreError();
    sim.Run(3000);
    return Verdict(sim, follower.applied == leader->applied, "the follower is stuck");
  });
}

TEST(GuardsGroupTest, G6ALongerLogOfAnOlderTermIsElected) {
  ExpectNeeds(&Guards::tell_term_when_denying, [](const Guards& guards) -> AssertionResult {
    CoreSim sim(With(guards, 5));
    sim.Prepare(Voters({1, 2, 3}));
    for (const int id : {1, 2}) {
      for (uint64_t index = 2; index <= (id == 1 ? 5 : 3); ++index) {
        sim.node(id).disk.Append(BatchEntry(index, 2, std::to_string(index)));
      }
    }
    sim.node(1).term = Term(2);
    sim.node(2).term = Term(7);
    sim.node(2).vote = NodeId(3);
    sim.Start(sim.node(1));
    sim.Start(sim.node(2));  // node 3 never comes back
    return Verdict(sim, Elected(sim, {1, 2}, 60000) != nullptr, "nobody is elected for a minute");
  });
}

TEST(GuardsGroupTest, G9ANodeVotesThoughItDoesNotKnowYetThatItIsAVoter) {
  ExpectNeeds(&Guards::vote_as_asked, [](const Guards& guards) -> AssertionResult {
    CoreSim sim(With(guards, 8));
    sim.Boot(Voters({1}, {2}));
    CoreSim::Node& first = *Elected(sim, {1});
    sim.Run(3000);
    sim.Cut(1, 2);
    if (!sim.Change(first, Voters({1, 2})).ok()) return Wrong() << "no change";
    sim.Run(200);  // durable on node 1, unknown to node 2
    sim.Crash(first);
    sim.Heal();
    sim.Start(first);
    return Verdict(sim, Elected(sim, {1, 2}, 60000) != nullptr, "nobody is elected for a minute");
  });
}

TEST(GuardsGroupTest, G10AChangeThatTheLeaderLosesIsNotTheFollowersAlone) {
  ExpectNeeds(&Guards::hold_configuration, [](const Guards& guards) -> AssertionResult {
    CoreSim sim(With(guards, 4));
    sim.Boot(Voters({1, 2}));
    CoreSim::Node& leader = *Elected(sim, {1, 2});
    sim.Run(1000);
    sim.SetHung(leader, true);
    const int other = Others({1, 2}, leader)[0];
    if (!sim.Change(leader, leader.core->configuration().With(NodeId(other), MemberRole::kStandby))
             .ok()) {
      return Wrong() << "no change";
    }
    sim.Run(500);
    sim.Crash(leader);  // and what its disk had not got
    sim.Start(leader);
    return Verdict(sim, Elected(sim, {1, 2}, 60000) != nullptr, "nobody is elected for a minute");
  });
}

// Node 4 has nothing; the others have entries, and a log that starts behind `start`.
AssertionResult BlankStandbyCatchesUp(const Guards& guards, uint64_t start) {
  CoreSim sim(With(guards, 9));
  for (const int id : {1, 2, 3}) sim.Cut(id, 4);
  sim.Boot(Voters({1, 2, 3}, {4}));
  CoreSim::Node& leader = *Elected(sim, {1, 2, 3});
  sim.Run(1000);
  Fill(sim, leader, 20);
  sim.Run(1000);
  sim.Compact(leader, Index(start));
  sim.Run(300);
  if (leader.log.snapshot_index() != Index(start)) return Wrong() << "not compacted";
  sim.Heal();
  sim.Run(10000);
  return Verdict(sim, sim.node(4).applied == leader.applied, "node 4 is stuck");
}

TEST(GuardsGroupTest, G11ABlankNodeGetsALogThatStartsBehindItsFirstEntry) {
  ExpectNeeds(&Guards::snapshot_at_one,
              [](const Guards& guards) { return BlankStandbyCatchesUp(guards, 1); });
  EXPECT_TRUE(BlankStandbyCatchesUp(Guards(), 2));
  EXPECT_TRUE(BlankStandbyCatchesUp(Guards(), 30));
}

TEST(GuardsGroupTest, G12ALostSnapshotIsSentAgainThoughTheLogWasCompactedSince) {
  ExpectNeeds(&Guards::resend_snapshot_soon, [](const Guards& guards) -> AssertionResult {
    CoreSim sim(With(guards, 9));
    for (const int id : {1, 2, 3}) sim.Cut(id, 4);
    sim.Boot(Voters({1, 2, 3}, {4}));
    CoreSim::Node& leader = *Elected(sim, {1, 2, 3});
    sim.Run(1000);
    Fill(sim, leader, 20);
    sim.Run(1000);
    sim.Compact(leader, Index(20));
    bool lost = false;
    sim.SetDrop([&lost](NodeId, NodeId to, const Message& message) {
      const bool drop =
          !lost && to == NodeId(4) && std::holds_alternative<InstallSnapshot>(message);
      lost |= drop;
      return drop;
    });
    sim.Heal();
    sim.RunUntil(5000, [&lost] { return lost; });
    sim.Compact(leader, Index(40));
    // Late answers to empty heartbeats keep node 4 "recently heard from".
    for (int i = 0; i < 150; ++i) {
      sim.Inject(leader, NodeId(4),
                 AppendEntriesResult{leader.core->term(), Index(0), Index(0), Term(0)});
      sim.Run(1);
    }
    sim.Run(10000);
    return Verdict(sim, lost && sim.node(4).applied == leader.applied, "node 4 is stuck");
  });
}

TEST(GuardsGroupTest, G13AThousandDivergentEntriesAreFoundInAFewRoundTrips) {
  ExpectNeeds(&Guards::skip_divergent_terms, [](const Guards& guards) -> AssertionResult {
    CoreSim sim(With(guards, 9));
    sim.Boot(Voters({1, 2, 3}));
    CoreSim::Node& old = *Elected(sim, {1, 2, 3});
    sim.Run(500);
    const std::vector<int> others = Others({1, 2, 3}, old);
    sim.Split({old.id.value()}, others);
    for (int i = 0; i < 100; ++i) {  // nobody else will ever have these
      sim.Propose(old, 10).IgnoreError();
      sim.Run(2);
    }
    sim.Run(3000);
    CoreSim::Node* next = nullptr;
    sim.RunUntil(20000, [&] {
      for (const int id : others) {
        if (sim.node(id).leads()) next = &sim.node(id);
      }
      return next != nullptr;
    });
    if (next == nullptr) return Wrong() << "no leader";
    for (int i = 0; i < 100; ++i) {
      sim.Propose(*next, 10).IgnoreError();
      sim.Run(2);
    }
    sim.Run(1000);
    sim.Crash(old);  // it no longer knows what is committed
    sim.Start(old);
    sim.Crash(*next);  // and a third node leads, which knows nothing of either
    sim.Heal();
    CoreSim::Node* third = Elected(sim, {1, 2, 3});
    sim.Start(*next);
    if (third == nullptr || third == &old) return Wrong() << "no leader";
    const int64_t healed_us = sim.now_us();
    const uint64_t sent = sim.counts().entries_sent;
    const bool done = sim.RunUntil(60000, [&] {
      return third->core->own_term_committed() && old.applied == third->log.last_index();
    });
    const int64_t took_ms = (sim.now_us() - healed_us) / 1000;
    const uint64_t entries = sim.counts().entries_sent - sent;
    return Verdict(sim, done && took_ms < 1500 && entries < 20000,
                   std::to_string(took_ms) + " ms, " + std::to_string(entries) + " entries");
  });
}

// Ongaro's schedule (raft-dev, July 2015; shared between two membership changes in one term each):
// a leader that has committed nothing in its term changes the members.
TEST(GuardsGroupTest, MTheScheduleOfOverlappingChangesLosesNothing) {
  int schedules = 0;
  ExpectNeeds(&Guards::own_term_first, [&schedules](const Guards& guards) -> AssertionResult {
    for (uint64_t seed = 1; seed <= 40; ++seed) {
      CoreSim sim(With(guards, seed));
      sim.Boot(Voters({1, 2, 3, 4}, {5}));
      CoreSim::Node* a = Elected(sim, {1, 2, 3, 4});
      if (a == nullptr) return Wrong() << "no leader";
      sim.Run(1000);
      const std::vector<int> rest = Others({1, 2, 3, 4}, *a);
      sim.Split({a->id.value(), 5}, rest);
      if (!sim.Change(*a, a->core->configuration().With(NodeId(5), MemberRole::kVoter)).ok()) {
        continue;
      }
      sim.Run(100);
      CoreSim::Node* b = nullptr;
      sim.RunUntil(20000, [&] {
        for (const int id : rest) {
          if (sim.node(id).leads()) b = &sim.node(id);
        }
        return b != nullptr;
      });
      if (b == nullptr) continue;
      // With the guard: its best chance to do harm, when the barrier is committed.
      if (guards.own_term_first) sim.Run(500);
      std::vector<int> followers;
      for (const int id : rest) {
        if (NodeId(id) != b->id) followers.push_back(id);
      }
      const int apart = followers[1];
      sim.Split({apart}, {b->id.value(), followers[0]});
      if (!sim.Change(*b, b->core->configuration().With(a->id, MemberRole::kStandby)).ok()) {
        continue;
      }
      sim.Run(200);
      sim.Propose(*b).IgnoreError();
      sim.Run(500);
      sim.Heal();
      sim.Split({a->id.value(), 5, apart}, {b->id.value(), followers[0]});
      CoreSim::Node* c = nullptr;
      sim.RunUntil(8000, [&] {
        for (const int id : {a->id.value(), 5, apart}) {
          if (sim.node(id).leads()) c = &sim.node(id);
        }
        return c != nullptr;
      });
      if (c != nullptr) {
        sim.Propose(*c).IgnoreError();
        sim.Run(1000);
      }
      sim.Heal();
      sim.Run(5000);
      if (!sim.violation().empty()) return Wrong() << "seed " << seed << ": " << sim.violation();
      ++schedules;
    }
    return Well();
  });
  EXPECT_GT(schedules, 10);
}

TEST(GuardsGroupTest, B4ASoleVoterThatLostEntriesDoesNotWriteOthersInTheSameTerm) {
  ExpectNeeds(&Guards::sole_voter_takes_term, [](const Guards& guards) -> AssertionResult {
    CoreSim sim(With(guards, 7));
    sim.Boot(Voters({1}, {2}));
    CoreSim::Node& voter = *Elected(sim, {1});
    sim.Run(1000);
    sim.Propose(voter).IgnoreError();
    sim.Run(500);
    sim.SetHung(voter, true);
    sim.Propose(voter, 3).IgnoreError();  // the standby has them, the voter's disk does not
    sim.Run(500);
    sim.Crash(voter);
    sim.Start(voter);
    sim.Run(200);
    sim.Propose(voter, 2).IgnoreError();
    sim.Run(3000);
    return Verdict(sim, sim.node(2).applied == voter.applied, "the standby does not follow");
  });
}

AssertionResult BrokenDiskDoesNotLead(const Guards& guards, bool with_error) {
  CoreSim::Options options = With(guards, 3);
  options.max_uncommitted_entries = 200;
  CoreSim sim(options);
  sim.Boot(Voters({1, 2, 3}));
  CoreSim::Node& leader = *Elected(sim, {1, 2, 3});
  sim.Run(1000);
  (with_error ? leader.broken : leader.hung) = true;
  Index seen = sim.checks().last_committed();
  int64_t since_us = sim.now_us();
  int64_t longest_us = 0;
  for (int i = 0; i < 2000; ++i) {
    for (CoreSim::Node& each : sim.nodes()) {
      if (each.leads()) sim.Propose(each).IgnoreError();
    }
    sim.Run(10);
    if (sim.checks().last_committed() > seen) since_us = sim.now_us();
    seen = sim.checks().last_committed();
    longest_us = std::max(longest_us, sim.now_us() - since_us);
  }
  return Verdict(sim, longest_us < 8000000 && !leader.leads(),
                 std::to_string(longest_us / 1000) + " ms without a commit");
}

TEST(GuardsGroupTest, FALeaderWhoseDiskHangsHandsOver) {
  ExpectNeeds(&Guards::give_up_broken_disk,
              [](const Guards& guards) { return BrokenDiskDoesNotLead(guards, false); });
}

TEST(GuardsGroupTest, FALeaderWhoseDiskFailsHandsOver) {
  ExpectNeeds(&Guards::give_up_broken_disk,
              [](const Guards& guards) { return BrokenDiskDoesNotLead(guards, true); });
}

TEST(GuardsGroupTest, RADeposedLeaderServesNoReads) {
  ExpectNeeds(&Guards::probe_before_read, [](const Guards& guards) -> AssertionResult {
    CoreSim sim(With(guards, 6));
    sim.Boot(Voters({1, 2, 3}));
    CoreSim::Node& leader = *Elected(sim, {1, 2, 3});
    sim.Run(1000);
    sim.Propose(leader).IgnoreError();
    sim.Run(1000);
    sim.Read(leader);
    sim.Run(200);
    if (leader.last_read != leader.applied) return Wrong() << "a read is not served";
    sim.Pause(leader, 5000);
    CoreSim::Node* next = nullptr;
    const std::vector<int> others = Others({1, 2, 3}, leader);
    sim.RunUntil(4000, [&] {
      for (const int id : others) {
        if (sim.node(id).leads()) next = &sim.node(id);
      }
      return next != nullptr;
    });
    if (next == nullptr) return Wrong() << "no new leader";
    sim.Propose(*next).IgnoreError();
    sim.Run(500);
    leader.paused_until_us = sim.now_us();
    if (!leader.leads()) return Wrong() << "it noticed";
    sim.Read(leader);  // the first thing it does when it wakes
    sim.Run(3000);
    return Verdict(sim, !leader.last_read.has_value(), "served");
  });
}

}  // namespace
}  // namespace cairn::consensus
