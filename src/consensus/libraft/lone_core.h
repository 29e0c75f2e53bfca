// For tests: one core without a group, its messages and disk in the test's hands; and the form that
// every guard's test has.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "consensus/libraft/guards.h"
#include "consensus/raft_core.h"

namespace cairn::consensus {

inline log::Entry BatchEntry(uint64_t index, int32_t term, std::string records = "x") {
  log::Batch batch;
  batch.records = std::move(records);
  batch.record_count = 1;
  return log::MakeBatchEntry(std::move(batch), Index(index), Term(term), Offset(0));
}

inline log::Entry ConfigurationEntry(uint64_t index, int32_t term, const Configuration& members) {
  return log::MakeControlEntry(log::EntryKind::kConfiguration, members.Encode(), Index(index),
                               Term(term), Offset(0), 0);
}

inline Configuration Voters(std::initializer_list<int32_t> voters,
                            std::initializer_list<int32_t> standbys = {}) {
  std::vector<Member> members;
  for (const int32_t node : voters) members.push_back({NodeId(node), MemberRole::kVoter});
  for (const int32_t node : standbys) members.push_back({NodeId(node), MemberRole::kStandby});
  return Configuration(std::move(members));
}

// The state of a node whose log is the configuration `members` of term 1 and then, for each of
// `more`, entries of the term `first` up to the index `second`.
inline CoreState StateOf(int32_t term, const Configuration& members,
                         std::initializer_list<std::pair<int32_t, uint64_t>> more = {}) {
  CoreState state;
  state.term = Term(term);
  state.terms = {{Term(1), Index(1)}};
  state.last_index = Index(1);
  state.configurations = {{Index(1), members}};
  for (const auto& [of_term, last] : more) {
    if (Term(of_term) != state.terms.back().term) {
      state.terms.push_back({Term(of_term), state.last_index + 1});
    }
    state.last_index = Index(last);
  }
  return state;
}

class LoneCore {
 public:
  LoneCore(int32_t self, const CoreState& state, const Guards& guards = {}) {
    CoreOptions options;
    options.self = NodeId(self);
    core_ = NewLibraftCore(options, guards);
    const absl::Status started = core_->Start(state, now_ms_);
    EXPECT_TRUE(started.ok()) << started;
    Gather();
  }
  RaftCore& core() { return *core_; }
  int64_t now_ms() const { return now_ms_; }

  void Receive(int32_t from, Message message) {
    core_->Receive(NodeId(from), std::move(message), now_ms_);
    Gather();
  }
  void Append(int32_t from, int32_t term, uint64_t prev_index, int32_t prev_term,
              std::vector<log::Entry> entries, uint64_t commit = 0) {
    AppendEntries message{Term(term),
                          Index(prev_index),
                          Term(prev_term),
                          Index(commit),
                          static_cast<uint32_t>(entries.size()),
                          std::move(entries)};
    Receive(from, std::move(message));
  }
  void Persist() {
    core_->OnPersisted(core_->last_index(), now_ms_);
    Gather();
  }
  void Wait(int64_t ms) {
    for (const int64_t end = now_ms_ + ms; now_ms_ < end;) {
      now_ms_ = std::max(now_ms_ + 1, std::min(end, core_->deadline_ms()));
      core_->Tick(now_ms_);
      Gather();
    }
  }
  // Until its election timeout has come.
  void WaitForElection() {
    now_ms_ = core_->deadline_ms();
    core_->Tick(now_ms_);
    Gather();
  }
  // With the votes of `voter`.
  void Elect(int32_t voter) {
    WaitForElection();
    Receive(voter, RequestVoteResult{core_->term() + 1, true, true});
    Receive(voter, RequestVoteResult{core_->term(), true, false});
    EXPECT_EQ(core_->state(), RaftState::kLeader);
  }
  absl::Status Propose(int count) {
    std::vector<log::Entry> entries;
    for (int i = 1; i <= count; ++i) {
      entries.push_back(BatchEntry(core_->last_index().value() + static_cast<uint64_t>(i),
                                   core_->term().value()));
    }
    const absl::Status status = core_->Propose(entries, now_ms_);
    Gather();
    return status;
  }
  absl::Status Change(const Configuration& to) {
    const absl::Status status = core_->ChangeConfiguration(to, now_ms_);
    Gather();
    return status;
  }
  absl::Status Transfer(int32_t to) {
    const absl::Status status = core_->Transfer(NodeId(to), now_ms_);
    Gather();
    return status;
  }
  void Gather() {
    for (Action& action : core_->TakeActions()) actions.push_back(std::move(action));
  }

  // What it sent of this kind since actions.clear(), to whomever.
  template <typename Kind>
  std::vector<Kind> Sent() const {
    std::vector<Kind> result;
    for (const Action& action : actions) {
      const auto* send = std::get_if<SendMessage>(&action);
      if (send == nullptr) continue;
      if (const auto* message = std::get_if<Kind>(&send->message)) result.push_back(*message);
    }
    return result;
  }
  template <typename Kind>
  std::optional<Kind> LastTo(int32_t node) const {
    for (auto action = actions.rbegin(); action != actions.rend(); ++action) {
      const auto* send = std::get_if<SendMessage>(&*action);
      if (send == nullptr || send->to != NodeId(node)) continue;
      if (const auto* message = std::get_if<Kind>(&send->message)) return *message;
    }
    return std::nullopt;
  }

  std::vector<Action> actions;

 private:
  int64_t now_ms_ = 1000;
  std::unique_ptr<RaftCore> core_;
};

// A scenario says whether it went well.
using Scenario = std::function<::testing::AssertionResult(const Guards&)>;

inline ::testing::AssertionResult Well() { return ::testing::AssertionSuccess(); }
inline ::testing::AssertionResult Wrong() { return ::testing::AssertionFailure(); }

// The scenario goes well, and goes wrong without the guard. Going wrong may end the process: a
// check of ours, an assertion of the engine's, a bad read. So that half has a process of its own.
inline void ExpectNeeds(bool Guards::*guard, const Scenario& scenario) {
  EXPECT_TRUE(scenario(Guards()));
  Guards without;
  without.*guard = false;
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (std::freopen("/dev/null", "w", stderr) == nullptr) _exit(0);
    _exit(scenario(without) ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_FALSE(WIFEXITED(status) && WEXITSTATUS(status) == 0)
      << "the scenario goes well without the guard too: it shows nothing";
}

}  // namespace cairn::consensus
