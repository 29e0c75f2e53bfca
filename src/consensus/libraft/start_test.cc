// The start from runs of terms (libraft_start.cc) against the engine's own start from entries, by
// what the cores do afterwards; and what a big log costs.
#include <gtest/gtest.h>

#include <chrono>
#include <sstream>

#include "consensus/core_sim.h"
#include "consensus/libraft/lone_core.h"

namespace cairn::consensus {
namespace {

// One line per action, with all that the core decided.
struct Describe {
  std::ostream& out;
  void operator()(const SaveVote& each) { out << "vote " << each.term << ' ' << each.vote; }
  void operator()(const StoreEntries& each) {
    out << "store " << each.first << " + " << each.entries.size();
    for (const log::Entry& entry : each.entries) out << ' ' << entry.header.term;
  }
  void operator()(const ResetLog& each) { out << "reset " << each.snapshot.last_index; }
  void operator()(const SendMessage& each) {
    out << "to " << each.to << ' ' << each.message.index() << ' ';
    std::visit(*this, each.message);
  }
  void operator()(const CommitTo& each) { out << "commit " << each.index; }
  void operator()(const StateChanged& each) {
    out << "state " << static_cast<int>(each.state) << ' ' << each.term << ' ' << each.leader;
  }
  void operator()(const ReadReady& each) { out << "read " << each.token; }
  void operator()(const CoreClosed& each) { out << "closed " << each.reason; }
  void operator()(const RequestVote& each) {
    out << each.term << ' ' << each.last_index << ' ' << each.last_term << each.pre_vote;
  }
  void operator()(const RequestVoteResult& each) { out << each.term << ' ' << each.granted; }
  void operator()(const AppendEntries& each) {
    out << each.term << ' ' << each.prev_index << ' ' << each.prev_term << ' ' << each.commit
        << " + " << each.count;
  }
  void operator()(const AppendEntriesResult& each) {
    out << each.term << ' ' << each.rejected << ' ' << each.last_index << ' ' << each.hint;
  }
  void operator()(const InstallSnapshot& each) {
    out << each.last_index << ' ' << each.last_term << ' ' << each.configuration_index;
  }
  void operator()(const TimeoutNow& each) { out << each.last_index << ' ' << each.last_term; }
  void operator()(const Probe& each) { out << each.sequence; }
  void operator()(const ProbeResult& each) { out << each.sequence; }
};

std::string Describe1(LoneCore& node) {
  std::ostringstream out;
  for (const Action& action : node.actions) {
    std::visit(Describe{out}, action);
    out << '\n';
  }
  node.actions.clear();
  out << node.core().term() << ' ' << node.core().last_index() << ' ' << node.core().commit_index()
      << ' ' << node.core().snapshot_index() << ' ' << node.core().configuration().ToString() << ' '
      << node.core().configuration_committed() << ' ' << node.core().deadline_ms();
  for (uint64_t index = 0; index <= node.core().last_index().value() + 1; ++index) {
    out << ' ' << node.core().TermAt(Index(index));
  }
  return out.str();
}

Configuration AnyConfiguration(Dice& dice) {
  Configuration result = Voters({1, 2});  // never a sole voter: the engine elects it in RAFT_START
  for (int32_t node = 3; node <= 5; ++node) {
    if (dice.Chance(500)) {
      result =
          result.With(NodeId(node), dice.Chance(500) ? MemberRole::kVoter : MemberRole::kStandby);
    }
  }
  return result;
}

CoreState AnyState(Dice& dice) {
  CoreState state;
  Term term(1 + static_cast<int32_t>(dice.Below(3)));
  if (dice.Chance(600)) {
    state.snapshot_index = Index(1 + dice.Below(6));
    state.snapshot_term = term;
    state.configurations[Index(1 + dice.Below(state.snapshot_index.value()))] =
        AnyConfiguration(dice);
  }
  state.last_index = state.snapshot_index + dice.Below(12);
  for (Index index = state.snapshot_index + 1; index <= state.last_index; ++index) {
    if (dice.Chance(300)) term += static_cast<int32_t>(1 + dice.Below(3));
    if (state.terms.empty() || state.terms.back().term != term)
      state.terms.push_back({term, index});
    if (index == Index(1) || dice.Chance(200)) state.configurations[index] = AnyConfiguration(dice);
  }
  if (state.last_index.value() > 0) state.term = term + static_cast<int32_t>(dice.Below(3));
  if (state.term.value() > 0 && dice.Chance(500)) {
    state.vote = NodeId(1 + static_cast<int32_t>(dice.Below(3)));
  }
  return state;
}

// The same thing to both.
void DoAnything(Dice& dice, LoneCore& a, LoneCore& b) {
  const auto both = [&](const auto& what) {
    what(a);
    what(b);
  };
  RaftCore& core = a.core();
  const Index last = core.last_index();
  const Term term = core.term() + static_cast<int32_t>(dice.Below(2));
  const int32_t from = 2 + static_cast<int32_t>(dice.Below(2));
  switch (dice.Below(8)) {
    case 0:
      return both([](LoneCore& each) { each.WaitForElection(); });
    case 1: {
      const bool pre_vote = dice.Chance(500);
      const bool granted = dice.Chance(800);
      return both([&](LoneCore& each) {
        each.Receive(from, RequestVoteResult{term, granted, pre_vote});
      });
    }
    case 2: {
      const RequestVote vote{term, last + dice.Below(2), core.TermAt(last), dice.Chance(300),
                             dice.Chance(300)};
      return both([&](LoneCore& each) { each.Receive(from, vote); });
    }
    case 3: {
      const uint64_t rejected = dice.Below(last.value() + 2);
      const AppendEntriesResult result{
          core.term(), Index(rejected),
          rejected > 0 ? Index(dice.Below(rejected)) : Index(dice.Below(last.value() + 1)),
          Term(0)};
      return both([&](LoneCore& each) { each.Receive(from, result); });
    }
    case 4:
      if (core.state() != RaftState::kLeader) return;
      return both([](LoneCore& each) { each.Propose(2).IgnoreError(); });
    case 5:
      return both([](LoneCore& each) { each.Persist(); });
    case 6: {
      const Index to = core.snapshot_index() + dice.Below(core.commit_index().value() + 1);
      if (to > core.commit_index()) return;
      return both([&](LoneCore& each) {
        each.Persist();
        each.core().OnCompacted(to, each.now_ms());
        each.Gather();
      });
    }
    default: {
      if (core.state() == RaftState::kLeader || term < core.TermAt(last)) return;
      const Index prev = core.commit_index() + dice.Below(last - core.commit_index() + 1);
      if (prev.value() == 0 || term.value() == 0) return;
      std::vector<log::Entry> entries;
      for (uint64_t i = 1, n = dice.Below(4); i <= n; ++i) {
        entries.push_back(dice.Chance(200) ? ConfigurationEntry((prev + i).value(), term.value(),
                                                                AnyConfiguration(dice))
                                           : BatchEntry((prev + i).value(), term.value()));
      }
      const Term prev_term = core.TermAt(prev);
      const uint64_t commit = core.commit_index().value() + dice.Below(3);
      return both([&](LoneCore& each) {
        each.Append(from, term.value(), prev.value(), prev_term.value(), entries, commit);
      });
    }
  }
}

TEST(StartTest, TermsAloneStartTheEngineAsEntriesDo) {
  Guards with_entries;
  with_entries.start_without_entries = false;
  uint64_t leaders = 0;
  for (uint64_t seed = 1; seed <= 3000; ++seed) {
    Dice dice(seed);
    const CoreState state = AnyState(dice);
    LoneCore ours(1, state);
    LoneCore reference(1, state, with_entries);
    ASSERT_EQ(Describe1(ours), Describe1(reference)) << "seed " << seed << " at start";
    for (int step = 0; step < 40; ++step) {
      DoAnything(dice, ours, reference);
      leaders += ours.core().state() == RaftState::kLeader;
      ASSERT_EQ(Describe1(ours), Describe1(reference)) << "seed " << seed << " step " << step;
    }
  }
  EXPECT_GT(leaders, 100u);
}

TEST(StartTest, TwentyMillionEntriesStartInMilliseconds) {
  CoreState state = StateOf(1, Voters({1, 2, 3}));
  for (int32_t term = 2; term <= 2000; ++term) {
    state.terms.push_back({Term(term), Index(static_cast<uint64_t>(term) * 10000)});
  }
  state.term = Term(2000);
  state.last_index = Index(20100000);
  const auto start = std::chrono::steady_clock::now();
  LoneCore node(1, state);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  RecordProperty("start_us", static_cast<int>(took.count() * 1000));
  EXPECT_LT(took.count(), 100);
  EXPECT_EQ(node.core().last_index(), Index(20100000));
  EXPECT_EQ(node.core().TermAt(Index(19999)), Term(1));
  EXPECT_EQ(node.core().TermAt(Index(20000)), Term(2));
  EXPECT_EQ(node.core().TermAt(Index(20100000)), Term(2000));

  // The engine agrees: it accepts what fits, and refuses what does not.
  node.Append(2, 2001, 20100000, 2000, {BatchEntry(20100001, 2001)}, 20099999);
  EXPECT_EQ(node.core().last_index(), Index(20100001));
  EXPECT_EQ(node.core().commit_index(), Index(20099999));
  node.Append(2, 2001, 20100001, 2000, {});
  EXPECT_EQ(node.LastTo<AppendEntriesResult>(2)->rejected, Index(20100001));
  node.Persist();
  node.core().OnCompacted(Index(20000000), node.now_ms());
  EXPECT_EQ(node.core().snapshot_index(), Index(20000000));
}

TEST(StartTest, RefusesAStateThatContradictsItself) {
  const auto refused = [](const CoreState& state) {
    CoreOptions options;
    options.self = NodeId(1);
    return NewRaftCore(options)->Start(state, 0).code() == absl::StatusCode::kInvalidArgument;
  };
  const CoreState good = StateOf(3, Voters({1, 2, 3}), {{2, 5}, {3, 9}});
  EXPECT_FALSE(refused(good));
  EXPECT_FALSE(refused(CoreState()));
  CoreState bad = good;
  bad.term = Term(2);
  EXPECT_TRUE(refused(bad)) << "a log of a later term";
  bad = good;
  bad.configurations.clear();
  EXPECT_TRUE(refused(bad)) << "no configuration";
  bad = good;
  bad.configurations[Index(10)] = Voters({1});
  EXPECT_TRUE(refused(bad)) << "a configuration behind the end";
  bad = good;
  bad.configurations[Index(7)] = Configuration();
  EXPECT_TRUE(refused(bad)) << "nobody votes";
  bad = good;
  bad.terms[1].first_index = Index(1);
  EXPECT_TRUE(refused(bad)) << "two runs at one index";
  bad = good;
  bad.terms[2].term = Term(1);
  EXPECT_TRUE(refused(bad)) << "terms go back";
  bad = good;
  bad.terms.erase(bad.terms.begin());
  EXPECT_TRUE(refused(bad)) << "no term for the first entries";
  bad = good;
  bad.snapshot_index = Index(4);
  EXPECT_TRUE(refused(bad)) << "a log start without its term";
  bad = CoreState();
  bad.last_index = Index(3);
  EXPECT_TRUE(refused(bad)) << "entries without terms";
}

}  // namespace
}  // namespace cairn::consensus
