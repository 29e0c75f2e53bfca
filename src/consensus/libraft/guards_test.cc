// Each guard against its fault, on one core; those that take a group are in guards_group_test.cc.
#include "consensus/libraft/guards.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "consensus/libraft/lone_core.h"

namespace cairn::consensus {
namespace {

using ::testing::AssertionResult;

TEST(GuardsTest, G1EntriesOfACompactedPrefixAreNotNew) {
  ExpectNeeds(&Guards::anchor_at_commit, [](const Guards& guards) -> AssertionResult {
    CoreState state = StateOf(2, Voters({1, 2, 3}));
    state.snapshot_index = Index(90);
    state.snapshot_term = Term(2);
    state.last_index = Index(100);
    state.terms = {{Term(2), Index(91)}};
    LoneCore node(3, state, guards);
    node.Append(1, 2, 0, 0, {ConfigurationEntry(1, 1, Voters({1, 2, 3})), BatchEntry(2, 1)});
    if (node.core().last_index() != Index(100)) return Wrong() << "its log changed";
    const auto answer = node.LastTo<AppendEntriesResult>(1);
    if (!answer || answer->rejected.value() != 0) return Wrong() << "what it has is rejected";
    return Well();
  });
}

TEST(GuardsTest, G2G3ALateRejectionDoesNotStopReplication) {
  ExpectNeeds(&Guards::drop_stale_rejections, [](const Guards& guards) -> AssertionResult {
    LoneCore leader(1, StateOf(1, Voters({1, 2, 3})), guards);
    leader.Elect(2);
    const Term term = leader.core().term();
    EXPECT_TRUE(leader.Propose(10).ok());
    leader.Persist();
    const Index match = leader.core().last_index();
    for (const int node : {2, 3}) {
      leader.Receive(node, AppendEntriesResult{term, Index(0), match, Term(0)});
    }
    for (int i = 0; i < 30; ++i) {  // node 2 is silent long enough to be probed
      leader.Wait(100);
      leader.Receive(3, AppendEntriesResult{term, Index(0), match, Term(0)});
    }
    EXPECT_TRUE(leader.Propose(5).ok());
    // From long ago, when node 2 had not got so far.
    leader.Receive(2, AppendEntriesResult{term, match, Index(5), Term(0)});
    leader.actions.clear();
    leader.Wait(200);
    const auto append = leader.LastTo<AppendEntries>(2);
    if (!append) return Wrong() << "nothing is sent";
    if (append->prev_index != match || append->count != 5) {
      return Wrong() << append->count << " entries behind " << append->prev_index;
    }
    return Well();
  });
}

TEST(GuardsTest, G4AVoteThatNobodyWaitsForChangesNothing) {
  ExpectNeeds(&Guards::votes_only_for_candidates, [](const Guards& guards) -> AssertionResult {
    // It asked for pre-votes, then crashed and restarted: the answer names a term that never was.
    LoneCore node(1, StateOf(5, Voters({1, 2, 3})), guards);
    node.Receive(2, RequestVoteResult{Term(6), true, true});
    if (node.core().term() != Term(5)) return Wrong() << "term " << node.core().term();
    return Well();
  });
}

TEST(GuardsTest, G5AnOlderLeaderIsRefused) {
  ExpectNeeds(&Guards::answer_stale_leaders, [](const Guards& guards) -> AssertionResult {
    LoneCore node(3, StateOf(9, Voters({1, 2, 3})), guards);
    node.Append(1, 5, 0, 0, {});
    node.Receive(2, InstallSnapshot{Term(5), Index(50), Term(5), Index(1),
                                    Voters({1, 2, 3}).Encode(), Offset(0), ""});
    const auto answers = node.Sent<AppendEntriesResult>();
    if (answers.size() != 2) return Wrong() << answers.size() << " answers";
    for (const AppendEntriesResult& answer : answers) {
      if (answer.rejected.value() == 0) return Wrong() << "looks like an acknowledgement";
      if (answer.term != Term(9)) return Wrong() << "does not tell the term";
    }
    return Well();
  });
}

TEST(GuardsTest, G6ADeniedPreVoteTellsTheTerm) {
  ExpectNeeds(&Guards::tell_term_when_denying, [](const Guards& guards) -> AssertionResult {
    LoneCore node(2, StateOf(9, Voters({1, 2, 3})), guards);
    node.Receive(1, RequestVote{Term(3), Index(7), Term(2), false, true});
    const auto answer = node.LastTo<RequestVoteResult>(1);
    if (!answer || answer->granted) return Wrong() << "not denied";
    if (answer->term != Term(9)) return Wrong() << "tells term " << answer->term;
    return Well();
  });
}

TEST(GuardsTest, G7AConfigurationThatWasTruncatedIsForgotten) {
  ExpectNeeds(&Guards::split_at_configuration, [](const Guards& guards) -> AssertionResult {
    LoneCore node(3, StateOf(1, Voters({1, 2, 3})), guards);
    node.Append(1, 1, 1, 1,
                {BatchEntry(2, 1), BatchEntry(3, 1),
                 ConfigurationEntry(4, 1, Voters({1, 2, 3}, {4})), BatchEntry(5, 1)});
    node.Persist();
    if (node.core().configuration() != Voters({1, 2, 3}, {4})) return Wrong() << "not in force";
    node.Append(2, 2, 2, 1, {BatchEntry(3, 2)});  // a new leader replaces 3, 4 and 5
    if (node.core().configuration() != Voters({1, 2, 3})) {
      return Wrong() << node.core().configuration().ToString();
    }
    return Well();
  });
}

TEST(GuardsTest, G7AConfigurationWithinAMessageIsSeenCommitted) {
  ExpectNeeds(&Guards::split_at_configuration, [](const Guards& guards) -> AssertionResult {
    LoneCore node(3, StateOf(1, Voters({1, 2, 3})), guards);
    node.Append(1, 1, 1, 1,
                {BatchEntry(2, 1), ConfigurationEntry(3, 1, Voters({1, 2, 3}, {4})),
                 ConfigurationEntry(4, 1, Voters({1, 2, 3, 4}))},
                4);
    node.Persist();
    node.Append(1, 1, 4, 1, {}, 4);
    if (node.core().commit_index() != Index(4)) return Wrong() << "not committed";
    if (!node.core().configuration_committed()) return Wrong() << "the change seems uncommitted";
    return Well();
  });
}

TEST(GuardsTest, G8ARefusedChangeLeavesTheLogAlone) {
  ExpectNeeds(&Guards::one_change_at_a_time, [](const Guards& guards) -> AssertionResult {
    LoneCore leader(1, StateOf(1, Voters({1, 2, 3})), guards);
    leader.Elect(2);
    leader.Persist();
    leader.Receive(2, AppendEntriesResult{leader.core().term(), Index(0),
                                          leader.core().last_index(), Term(0)});
    const auto first = leader.Change(Voters({1, 2, 3}, {4}));
    if (!first.ok()) return Wrong() << first;
    if (guards.one_change_at_a_time) {
      if (leader.Change(Voters({1, 2, 3}, {4, 5})).ok()) return Wrong() << "two at once";
    } else {
      const uint64_t next = leader.core().last_index().value() + 1;
      const int32_t term = leader.core().term().value();
      const std::vector<log::Entry> both = {
          BatchEntry(next, term), ConfigurationEntry(next + 1, term, Voters({1, 2, 3}, {4, 5}))};
      if (leader.core().Propose(both, leader.now_ms()).ok()) return Wrong() << "two at once";
    }
    if (!leader.Propose(1).ok()) return Wrong() << "no proposals any more";
    return Well();
  });
}

TEST(GuardsTest, G8ANewServerHasNoMatchIndex) {
  ExpectNeeds(&Guards::one_change_at_a_time, [](const Guards& guards) -> AssertionResult {
    LoneCore leader(1, StateOf(1, Voters({1, 2, 3})), guards);
    leader.Elect(2);
    leader.Persist();
    for (const int node : {2, 3}) {
      leader.Receive(node, AppendEntriesResult{leader.core().term(), Index(0),
                                               leader.core().last_index(), Term(0)});
    }
    if (!leader.Change(Voters({1, 2, 4})).ok()) return Well();  // a swap is two changes
    if (leader.core().MatchIndex(NodeId(4)) != Index(0)) return Wrong() << "node 4 has nothing";
    return Well();
  });
}

TEST(GuardsTest, G10AConfigurationIsSentOnceItIsDurable) {
  ExpectNeeds(&Guards::hold_configuration, [](const Guards& guards) -> AssertionResult {
    LoneCore leader(1, StateOf(1, Voters({1, 2, 3})), guards);
    leader.Elect(2);
    leader.Persist();
    for (const int node : {2, 3}) {
      leader.Receive(node, AppendEntriesResult{leader.core().term(), Index(0),
                                               leader.core().last_index(), Term(0)});
    }
    leader.actions.clear();
    EXPECT_TRUE(leader.Change(Voters({1, 2, 3}, {4})).ok());
    EXPECT_TRUE(leader.Propose(3).ok());
    const Index change = leader.core().last_index() - 3;
    const auto covers = [change](const AppendEntries& each) {
      return each.prev_index < change && each.prev_index + each.count >= change;
    };
    for (const AppendEntries& each : leader.Sent<AppendEntries>()) {
      if (covers(each)) return Wrong() << "sent before it is durable";
    }
    leader.Persist();
    // The follower lacks it, and says so.
    leader.Receive(2, AppendEntriesResult{leader.core().term(), change + 3, change - 1, Term(0)});
    const auto append = leader.LastTo<AppendEntries>(2);
    if (!append || !covers(*append)) return Wrong() << "not sent when durable";
    return Well();
  });
}

TEST(GuardsTest, G13AFollowerSkipsTermsTheLeaderCannotHave) {
  ExpectNeeds(&Guards::skip_divergent_terms, [](const Guards& guards) -> AssertionResult {
    LoneCore node(3, StateOf(9, Voters({1, 2, 3}), {{2, 11}, {7, 21}}), guards);
    node.Append(1, 9, 20, 3, {BatchEntry(21, 9)});
    const auto answer = node.LastTo<AppendEntriesResult>(1);
    if (!answer || answer->rejected != Index(20)) return Wrong() << "not rejected";
    if (answer->last_index != Index(11) || answer->hint != Term(2)) {
      return Wrong() << answer->last_index << " of term " << answer->hint;
    }
    return Well();
  });
}

TEST(GuardsTest, G14ACandidateWithoutVotesDoesNotRaiseItsTermForEver) {
  ExpectNeeds(&Guards::pre_vote_again, [](const Guards& guards) -> AssertionResult {
    LoneCore node(1, StateOf(1, Voters({1, 2, 3})), guards);
    node.WaitForElection();
    node.Receive(2, RequestVoteResult{Term(2), true, true});
    if (node.core().term() != Term(2)) return Wrong() << "no election";
    for (int i = 0; i < 10; ++i) node.WaitForElection();
    if (node.core().term() != Term(2)) return Wrong() << "term " << node.core().term();
    node.Receive(2, RequestVoteResult{Term(3), true, true});
    node.Receive(2, RequestVoteResult{Term(3), true, false});
    if (node.core().state() != RaftState::kLeader) return Wrong() << "cannot be elected later";
    return Well();
  });
}

TEST(GuardsTest, G15OnlyTheLastOfTwoConfigurationsIsRolledBack) {
  ExpectNeeds(&Guards::commit_before_next_change, [](const Guards& guards) -> AssertionResult {
    LoneCore node(3, StateOf(1, Voters({1, 2, 3})), guards);
    // From a leader that knows neither as committed, being new.
    node.Append(1, 1, 1, 1,
                {ConfigurationEntry(2, 1, Voters({1, 2, 3}, {4})),
                 ConfigurationEntry(3, 1, Voters({1, 2, 3}, {4, 5}))});
    node.Persist();
    if (node.core().configuration() != Voters({1, 2, 3}, {4, 5})) return Wrong() << "not in force";
    node.Append(2, 2, 2, 1, {BatchEntry(3, 2)});  // the second was never committed
    if (node.core().configuration() != Voters({1, 2, 3}, {4})) {
      return Wrong() << node.core().configuration().ToString();
    }
    return Well();
  });
}

TEST(GuardsTest, G15AConfigurationThatIsReplacedIsNotTakenForCommitted) {
  LoneCore node(3, StateOf(1, Voters({1, 2, 3})));
  node.Append(1, 1, 1, 1, {BatchEntry(2, 1), ConfigurationEntry(3, 1, Voters({1, 2, 3}, {4}))});
  node.Persist();
  node.Append(2, 2, 2, 1, {ConfigurationEntry(3, 2, Voters({1, 2, 3}, {5}))});
  EXPECT_EQ(node.core().configuration(), Voters({1, 2, 3}, {5}));
  node.Append(1, 3, 2, 1, {BatchEntry(3, 3)});
  EXPECT_EQ(node.core().configuration(), Voters({1, 2, 3}));
}

// Seed 129 of ten simulated minutes: the guard looked for a configuration of the log that was being
// dropped, and the node ended.
TEST(GuardsTest, G15NothingIsTakenForCommittedWhileASnapshotIsInstalled) {
  LoneCore node(3, StateOf(1, Voters({1, 2, 3})));
  node.Append(1, 1, 1, 1, {ConfigurationEntry(2, 1, Voters({1, 2, 3}, {4}))});
  node.Persist();
  node.Receive(1, InstallSnapshot{Term(1), Index(50), Term(1), Index(40),
                                  Voters({1, 2, 3}, {5}).Encode(), Offset(0), ""});
  node.Append(1, 1, 50, 1, {ConfigurationEntry(51, 1, Voters({1, 2, 3, 5}))});
  EXPECT_EQ(node.core().last_index(), Index(50));
}

TEST(GuardsTest, G16ATransferWaitsForTheFollowersAcknowledgement) {
  ExpectNeeds(&Guards::hand_over_when_matched, [](const Guards& guards) -> AssertionResult {
    LoneCore leader(1, StateOf(1, Voters({1, 2, 3})), guards);
    leader.Elect(2);
    leader.Persist();
    const Term term = leader.core().term();
    leader.Receive(2, AppendEntriesResult{term, Index(0), leader.core().last_index(), Term(0)});
    EXPECT_TRUE(leader.Propose(1).ok());
    leader.Persist();
    leader.actions.clear();
    EXPECT_TRUE(leader.Transfer(3).ok());
    // Its first answer, to what it got before the entry.
    leader.Receive(3, AppendEntriesResult{term, Index(0), leader.core().last_index() - 1, Term(0)});
    if (leader.LastTo<TimeoutNow>(3)) return Wrong() << "told while an entry is on its way";
    leader.Receive(3, AppendEntriesResult{term, Index(0), leader.core().last_index(), Term(0)});
    const auto told = leader.LastTo<TimeoutNow>(3);
    if (!told) return Wrong() << "never told";
    if (told->last_index != leader.core().last_index()) return Wrong() << "of another log";
    return Well();
  });
}

TEST(GuardsTest, G16ATransferThatWasGivenUpTellsNobody) {
  LoneCore leader(1, StateOf(1, Voters({1, 2, 3})));
  leader.Elect(2);
  leader.Persist();
  const Term term = leader.core().term();
  leader.Receive(2, AppendEntriesResult{term, Index(0), leader.core().last_index(), Term(0)});
  EXPECT_TRUE(leader.Propose(1).ok());
  leader.Persist();
  EXPECT_TRUE(leader.Transfer(3).ok());
  for (int i = 0; i < 30; ++i) {
    leader.Wait(100);
    leader.Receive(2, AppendEntriesResult{term, Index(0), leader.core().last_index(), Term(0)});
  }
  EXPECT_TRUE(leader.Propose(1).ok()) << "still handing over";
  leader.Persist();
  leader.Receive(3, AppendEntriesResult{term, Index(0), leader.core().last_index(), Term(0)});
  EXPECT_FALSE(leader.LastTo<TimeoutNow>(3));
}

TEST(GuardsTest, G17WhatAMemberSaidBeforeItWasLetGoIsNotBelievedWhenItIsBack) {
  ExpectNeeds(&Guards::ask_newcomers, [](const Guards& guards) -> AssertionResult {
    LoneCore leader(1, StateOf(1, Voters({1, 2, 3})), guards);
    leader.Elect(2);
    leader.Persist();
    const Term term = leader.core().term();
    const auto acknowledge = [&](int32_t node) {
      leader.Receive(node,
                     AppendEntriesResult{term, Index(0), leader.core().last_index(), Term(0)});
    };
    const auto change = [&](const Configuration& to) {
      acknowledge(2);
      EXPECT_TRUE(leader.Change(to).ok());
      leader.Persist();
      acknowledge(2);
      EXPECT_TRUE(leader.core().configuration_committed());
    };
    acknowledge(3);
    const AppendEntriesResult late{term, Index(0), leader.core().last_index(), Term(0)};
    change(Voters({1, 2}, {3}));
    change(Voters({1, 2}));
    leader.actions.clear();
    change(Voters({1, 2}, {3}));
    leader.Receive(3, late);
    if (leader.core().MatchIndex(NodeId(3)) != Index(0)) return Wrong() << "believed";
    leader.Wait(1'000);  // the question is repeated
    const auto asked = leader.LastTo<Probe>(3);
    if (!asked) return Wrong() << "never asked";
    leader.Receive(3, ProbeResult{term, asked->sequence});
    acknowledge(3);
    if (leader.core().MatchIndex(NodeId(3)) != leader.core().last_index()) {
      return Wrong() << "not believed when it has answered";
    }
    return Well();
  });
}

TEST(GuardsTest, G18WhoeverLeadsAFollowerThatLostEntriesHandsOver) {
  ExpectNeeds(&Guards::lead_no_more_than_is_kept, [](const Guards& guards) -> AssertionResult {
    LoneCore leader(1, StateOf(1, Voters({1, 2, 3})), guards);
    leader.Elect(2);
    leader.Persist();
    const Term term = leader.core().term();
    const Index last = leader.core().last_index();
    const auto acknowledge = [&](int32_t node) {
      leader.Receive(node, AppendEntriesResult{term, Index(0), last, Term(0)});
    };
    const auto deny = [&] {
      acknowledge(2);
      leader.Receive(3, AppendEntriesResult{term, last, last - 1, Term(0)});
      leader.Wait(100);
    };
    acknowledge(2);
    acknowledge(3);
    // Late rejections, and then acknowledgements again.
    for (int i = 0; i < 30; ++i) {
      deny();
      if (i % 8 == 7) acknowledge(3);
    }
    if (!leader.Sent<TimeoutNow>().empty()) return Wrong() << "a late rejection was believed";
    for (int i = 0; i < 12; ++i) deny();
    if (leader.Sent<TimeoutNow>().empty()) return Wrong() << "goes on";
    for (int i = 0; i < 40; ++i) deny();
    const bool closed = std::ranges::any_of(leader.actions, [](const Action& action) {
      return std::holds_alternative<CoreClosed>(action);
    });
    return closed ? Well() : Wrong() << "leads although nobody took over";
  });
}

TEST(GuardsTest, MNoChangeBeforeAnEntryOfTheOwnTermIsCommitted) {
  ExpectNeeds(&Guards::own_term_first, [](const Guards& guards) -> AssertionResult {
    LoneCore leader(1, StateOf(1, Voters({1, 2, 3})), guards);
    leader.Elect(2);
    if (leader.Change(Voters({1, 2, 3}, {4})).ok()) return Wrong() << "allowed";
    leader.Persist();
    leader.Receive(2, AppendEntriesResult{leader.core().term(), Index(0),
                                          leader.core().last_index(), Term(0)});
    if (!leader.core().own_term_committed()) return Wrong() << "no barrier";
    const auto changed = leader.Change(Voters({1, 2, 3}, {4}));
    if (!changed.ok()) return Wrong() << changed;
    return Well();
  });
}

TEST(GuardsTest, B4ASoleVoterLeadsInANewTerm) {
  ExpectNeeds(&Guards::sole_voter_takes_term, [](const Guards& guards) -> AssertionResult {
    LoneCore node(1, StateOf(5, Voters({1}, {2}), {{5, 9}}), guards);
    if (node.core().state() != RaftState::kLeader) return Wrong() << "does not lead";
    if (node.core().term() != Term(6)) return Wrong() << "leads in term " << node.core().term();
    bool voted = false;
    for (const Action& action : node.actions) {
      if (const auto* vote = std::get_if<SaveVote>(&action)) voted |= vote->term == Term(6);
      if (!voted && (std::holds_alternative<StoreEntries>(action) ||
                     std::holds_alternative<SendMessage>(action))) {
        return Wrong() << "acts before its vote";
      }
    }
    if (!voted) return Wrong() << "no vote";
    return Well();
  });
}

}  // namespace
}  // namespace cairn::consensus
