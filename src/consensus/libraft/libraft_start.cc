// Start: the engine's state from runs of terms instead of from entries.
//
// RAFT_START wants an array with every entry of the log, 40 bytes each (a partition of 20 million
// entries: 800 MB for a moment, per partition), but reads only their terms and the configurations
// among them, and keeps one record per run of equal terms. So we start the engine with an empty
// log and then write into `struct raft` what RestoreEntries (restore.c:57) would have left there.
// StartTest compares the two ways by what the cores do afterwards.
#include <algorithm>
#include <limits>

#include "base/check.h"
#include "base/strings.h"
#include "consensus/libraft/engine_configuration.h"
#include "consensus/libraft/libraft_core.h"

namespace cairn::consensus {
namespace {

absl::Status Contradiction(std::string_view what) {
  return absl::InvalidArgumentError(base::StrCat("the stored state of the group: ", what));
}

void Replace(raft_configuration& target, const Configuration& with) {
  raft_configuration_close(&target);
  target = ToEngine(with);
}

}  // namespace

absl::Status LibraftCore::CheckState(const CoreState& state) {
  if (state.term < state.snapshot_term) return Contradiction("its term is below its log's");
  if ((state.snapshot_index.value() == 0) != (state.snapshot_term.value() == 0)) {
    return Contradiction("a log start without its term");
  }
  if (state.last_index < state.snapshot_index)
    return Contradiction("its log ends before it starts");
  // The engine counts entries in 32 bits (trail.c:55).
  if (state.last_index - state.snapshot_index > std::numeric_limits<uint32_t>::max()) {
    return Contradiction("more entries than the engine can count");
  }
  if ((state.last_index == state.snapshot_index) != state.terms.empty()) {
    return Contradiction("its terms do not cover its log");
  }
  Term previous = state.snapshot_term;
  Index expected = state.snapshot_index + 1;
  for (const CoreState::TermRun& run : state.terms) {
    const bool first = &run == &state.terms.front();
    const bool ascends = first ? run.term >= previous : run.term > previous;
    if (!ascends || run.term.value() <= 0 || run.term > state.term) {
      return Contradiction("terms go back within its log");
    }
    if (first ? run.first_index != expected
              : run.first_index <= expected || run.first_index > state.last_index) {
      return Contradiction("its terms do not cover its log");
    }
    previous = run.term;
    expected = run.first_index;
  }
  if (state.last_index.value() == 0) {
    return state.configurations.empty() ? absl::OkStatus()
                                        : Contradiction("configurations without a log");
  }
  const Index first_at_most = std::max(state.snapshot_index, Index(1));
  if (state.configurations.empty() || state.configurations.begin()->first > first_at_most ||
      state.configurations.begin()->first.value() == 0) {
    return Contradiction("no configuration at its log's start");
  }
  if (state.configurations.rbegin()->first > state.last_index) {
    return Contradiction("a configuration behind its log's end");
  }
  for (const auto& [index, configuration] : state.configurations) {
    if (configuration.voter_count() == 0) return Contradiction("a configuration without voters");
  }
  return absl::OkStatus();
}

absl::Status LibraftCore::Start(const CoreState& state, int64_t now_ms) {
  CAIRN_CHECK(!started_, "Start is called once");
  if (auto status = CheckState(state); !status.ok()) return status;
  started_ = true;
  Advance(now_ms);
  forgot_up_to_ = state.forgot_up_to;
  terms_ = TermTable(state.snapshot_index, state.snapshot_term, state.last_index, state.terms);
  configurations_ = state.configurations;
  // Of those at or before the log's start only the last is in force there.
  while (configurations_.size() > 1 &&
         std::next(configurations_.begin())->first <= state.snapshot_index) {
    configurations_.erase(configurations_.begin());
  }
  if (guards_.start_without_entries) {
    LoadEngine(state);
  } else {
    LoadEngineWithEntries(state);
  }
  AnnounceState();
  AnnounceCommit();
  // The engine elects a sole voter within RAFT_START; here its election timeout has come. Tick
  // applies guard B4.
  if (IsSoleVoter()) {
    EndElectionRound();
    Tick(now_ms);
  }
  return absl::OkStatus();
}

void LibraftCore::LoadEngine(const CoreState& state) {
  // An empty log behind the snapshot, and no configuration yet: without one the engine cannot elect
  // itself before its state is complete.
  raft_snapshot_metadata snapshot{};
  snapshot.index = state.snapshot_index.value();
  snapshot.term = ToEngineTerm(state.snapshot_term);
  raft_event event{};
  event.type = RAFT_START;
  event.start.term = ToEngineTerm(state.term);
  event.start.voted_for = ToEngineId(state.vote);
  event.start.start_index = state.snapshot_index.value() + 1;
  event.start.metadata = state.snapshot_index.value() > 0 ? &snapshot : nullptr;
  event.time = EngineTime();
  raft_update update{};
  const int error = raft_step(&raft_, &event, &update);
  CAIRN_CHECK(error == 0, "out of memory in the engine");
  CAIRN_CHECK((update.flags & (RAFT_UPDATE_STATE | RAFT_UPDATE_ENTRIES | RAFT_UPDATE_MESSAGES |
                               RAFT_UPDATE_CURRENT_TERM | RAFT_UPDATE_VOTED_FOR)) == 0,
              "the engine acts before its state is complete");
  if (state.last_index.value() == 0) return;

  // The trail: one record per term, holding the index of the term's last entry. A circular buffer
  // with [front, back) in use, and one slot always free (trail.c:168).
  const size_t runs = state.terms.size();
  if (runs > 0) {
    raft_trail& trail = raft_.trail;
    using Record = std::remove_reference_t<decltype(*trail.records)>;
    CAIRN_CHECK(trail.records == nullptr, "the engine has entries though it was given none");
    trail.records = static_cast<Record*>(raft_calloc(runs + 2, sizeof(Record)));
    CAIRN_CHECK(trail.records != nullptr, "out of memory");
    trail.size = static_cast<unsigned>(runs + 2);
    trail.front = 0;
    trail.back = static_cast<unsigned>(runs);
    for (size_t i = 0; i < runs; ++i) {
      const Index last = i + 1 < runs ? state.terms[i + 1].first_index - 1 : state.last_index;
      trail.records[i].term = ToEngineTerm(state.terms[i].term);
      trail.records[i].index = last.value();
    }
  }
  raft_.last_stored = state.last_index.value();
  // The first entry of a group is the same everywhere, so it is committed; of what a snapshot
  // covers the engine knows already.
  if (raft_.commit_index == 0) raft_.commit_index = 1;

  // The last configuration of the log is in force, and uncommitted as far as we know; the one
  // before it is committed, because there is never more than one uncommitted change.
  auto last = std::prev(configurations_.end());
  Replace(raft_.configuration, last->second);
  const bool committed = last->first.value() <= raft_.commit_index;
  raft_.configuration_uncommitted_index = committed ? 0 : last->first.value();
  if (!committed) --last;
  Replace(raft_.configuration_committed, last->second);
  raft_.configuration_committed_index = last->first.value();
  configuration_applied_ = last->first;
  if (state.snapshot_index.value() > 0) {
    raft_.configuration_last_snapshot_index = configurations_.begin()->first.value();
  }
}

void LibraftCore::LoadEngineWithEntries(const CoreState& state) {
  std::vector<raft_entry> entries;
  std::vector<std::string> bodies;
  bodies.reserve(configurations_.size());
  for (Index index = terms_.snapshot_index() + 1; index <= terms_.last_index(); ++index) {
    raft_entry entry{};
    entry.term = ToEngineTerm(terms_.TermAt(index));
    entry.type = RAFT_COMMAND;
    if (const auto found = configurations_.find(index); found != configurations_.end()) {
      bodies.push_back(EngineBytes(found->second));
      entry.type = RAFT_CHANGE;
      entry.buf = {bodies.back().data(), bodies.back().size()};
    }
    entries.push_back(entry);
  }
  raft_snapshot_metadata snapshot{};
  if (state.snapshot_index.value() > 0) {
    snapshot.index = state.snapshot_index.value();
    snapshot.term = ToEngineTerm(state.snapshot_term);
    snapshot.configuration = ToEngine(configurations_.begin()->second);
    snapshot.configuration_index = configurations_.begin()->first.value();
  }
  raft_event event{};
  event.type = RAFT_START;
  event.start.term = ToEngineTerm(state.term);
  event.start.voted_for = ToEngineId(state.vote);
  event.start.start_index = state.snapshot_index.value() + 1;
  event.start.metadata = snapshot.index > 0 ? &snapshot : nullptr;
  event.start.entries = entries.empty() ? nullptr : entries.data();
  event.start.n_entries = static_cast<unsigned>(entries.size());
  event.time = EngineTime();
  raft_update update{};
  const int error = raft_step(&raft_, &event, &update);
  CAIRN_CHECK(error == 0, "out of memory in the engine");
  configuration_applied_ = Index(raft_.configuration_committed_index);
}

}  // namespace cairn::consensus
