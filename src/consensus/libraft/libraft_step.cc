// One step of the engine, and what came out of it as actions.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/strings.h"
#include "consensus/libraft/engine_configuration.h"
#include "consensus/libraft/libraft_core.h"

namespace cairn::consensus {
namespace {

raft_entry_type EngineType(log::EntryKind kind) {
  switch (kind) {
    case log::EntryKind::kBatch:
      return RAFT_COMMAND;
    case log::EntryKind::kBarrier:
      return RAFT_BARRIER;
    case log::EntryKind::kConfiguration:
      return RAFT_CHANGE;
  }
  return RAFT_COMMAND;
}

RaftState FromEngineState(unsigned short state) {
  if (state == RAFT_LEADER) return RaftState::kLeader;
  return state == RAFT_CANDIDATE ? RaftState::kCandidate : RaftState::kFollower;
}

Configuration DecodeChecked(std::string_view bytes) {
  auto configuration = Configuration::Decode(bytes);
  CAIRN_CHECK(configuration.ok(), "a configuration was not checked before it came here");
  return *std::move(configuration);
}

}  // namespace

LibraftCore::StepEntries::StepEntries(std::span<const log::Entry> entries, void* entry_batch)
    : ours(entries), batch(entry_batch) {
  bodies.reserve(entries.size());  // the views point into it
  views.reserve(entries.size());
  for (const log::Entry& entry : entries) {
    raft_entry view{};
    view.term = ToEngineTerm(entry.header.term);
    view.type = EngineType(entry.header.kind);
    view.batch = entry_batch;
    if (entry.header.kind == log::EntryKind::kConfiguration) {
      bodies.push_back(EngineBytes(DecodeChecked(entry.body())));
      view.buf = {bodies.back().data(), bodies.back().size()};
    }
    views.push_back(view);
  }
}

raft_time LibraftCore::EngineTime() const {
  // The engine's times are unsigned; far from 0, so that EndElectionRound can go back.
  constexpr raft_time kEpochMs = raft_time{1} << 40;
  return kEpochMs + static_cast<raft_time>(now_ms_);
}

void LibraftCore::Advance(int64_t now_ms) { now_ms_ = std::max(now_ms_, now_ms); }

int LibraftCore::Step(raft_event& event, StepEntries* entries) {
  raft_update update{};
  event.time = EngineTime();
  if (const int error = raft_step(&raft_, &event, &update); error != 0) return error;
  CarryOut(update, entries);
  return 0;
}

void LibraftCore::MustStep(raft_event& event, const char* what, StepEntries* entries) {
  if (const int error = Step(event, entries); error != 0) {
    Close(base::StrCat("the engine refused to ", what, ": ", raft_strerror(error)));
  }
}

// The order is the contract of raft_core.h: the vote first. `update` is valid until the next step,
// so whatever steps again comes last.
void LibraftCore::CarryOut(const raft_update& update, StepEntries* entries) {
  const unsigned flags = update.flags;
  if (flags & ((RAFT_UPDATE_CURRENT_TERM) | (RAFT_UPDATE_VOTED_FOR))) {
    actions_.push_back(SaveVote{term(), FromEngineId(raft_.voted_for)});
  }
  AnnounceState();
  if (flags & (RAFT_UPDATE_ENTRIES)) TakeEntries(update, entries);
  if (flags & (RAFT_UPDATE_SNAPSHOT)) TakeSnapshot(update);
  if (flags & (RAFT_UPDATE_MESSAGES)) {
    for (unsigned i = 0; i < update.messages.n; ++i) Send(update.messages.batch[i]);
  }
  HandOverWhenMatched();
  if (flags & (RAFT_UPDATE_COMMIT_INDEX)) AnnounceCommit();
  if (flags & (RAFT_UPDATE_STATE)) {
    // Guard M. The engine itself does this only when something is uncommitted (convert.c:212).
    if (guards_.own_term_first && leads() && terms_.last_term() != term()) AppendBarrier();
    PollReads();
  }
}

void LibraftCore::TakeEntries(const raft_update& update, StepEntries* entries) {
  const Index first(update.entries.index);
  StoreEntries store{first, {}};
  if (update.entries.batch == &raft_.barrier) {
    raft_free(raft_.barrier.batch);
    store.entries.push_back(
        log::MakeControlEntry(log::EntryKind::kBarrier, "", first, term(), Offset(0), 0));
  } else {
    CAIRN_CHECK(entries != nullptr, "the engine stores entries out of nowhere");
    const auto offset = static_cast<size_t>(update.entries.batch - entries->views.data());
    CAIRN_CHECK(offset + update.entries.n <= entries->ours.size(),
                "the engine stores more entries than it was given");
    const auto ours = entries->ours.subspan(offset, update.entries.n);
    store.entries.assign(ours.begin(), ours.end());
    // The engine frees a received batch unless it stores of it.
    raft_free(std::exchange(entries->batch, nullptr));
  }
  if (first <= terms_.last_index()) {
    CAIRN_CHECK(first > commit_, "the engine replaces committed entries");
    terms_.Truncate(first);
    configurations_.erase(configurations_.lower_bound(first), configurations_.end());
  }
  CAIRN_CHECK(first == terms_.last_index() + 1, "the engine's log is not ours");
  for (const log::Entry& entry : store.entries) {
    terms_.Append(entry.header.term);
    CAIRN_CHECK(entry.header.index == terms_.last_index(), "an entry stands at another's index");
    if (entry.header.kind == log::EntryKind::kConfiguration) {
      configurations_[entry.header.index] = DecodeChecked(entry.body());
    }
  }
  if (!disk_waits_since_ms_) disk_waits_since_ms_ = now_ms_;
  store.made_here = leads() && store.entries.front().header.kind != log::EntryKind::kBatch;
  actions_.push_back(std::move(store));
}

void LibraftCore::TakeSnapshot(const raft_update& update) {
  CAIRN_CHECK(incoming_snapshot_ != nullptr, "the engine installs a snapshot out of nowhere");
  // They came from us, and are ours again.
  raft_snapshot_metadata metadata = update.snapshot.metadata;
  raft_configuration_close(&metadata.configuration);
  raft_free(update.snapshot.chunk.base);
  installing_ = *incoming_snapshot_;
  terms_.Reset(installing_->last_index, installing_->last_term);
  configurations_.clear();
  configurations_[installing_->configuration_index] = DecodeChecked(installing_->configuration);
  disk_waits_since_ms_ = now_ms_;
  actions_.push_back(ResetLog{*installing_});
}

void LibraftCore::AnnounceState() {
  const StateChanged now{closed_ ? RaftState::kFollower : FromEngineState(raft_.state), term(),
                         leader()};
  if (now.state == announced_.state && now.term == announced_.term &&
      now.leader == announced_.leader) {
    return;
  }
  if (now.state != RaftState::kLeader || now.term != announced_.term) {
    newcomers_.clear();
    lost_since_ms_.clear();
  }
  announced_ = now;
  actions_.push_back(now);
}

void LibraftCore::AnnounceCommit() {
  // What is being installed is committed, but not here yet.
  if (closed_ || installing_ || raft_.commit_index <= commit_.value()) return;
  commit_ = Index(raft_.commit_index);
  actions_.push_back(CommitTo{commit_});
  for (auto next = configurations_.upper_bound(configuration_applied_);
       next != configurations_.end() && next->first <= commit_ && !closed_;
       next = configurations_.upper_bound(configuration_applied_)) {
    configuration_applied_ = next->first;
    raft_event event{};
    event.type = RAFT_CONFIGURATION;
    event.configuration.index = next->first.value();
    event.configuration.conf = ToEngine(next->second);
    MustStep(event, "apply a configuration");
  }
}

void LibraftCore::AppendBarrier() {
  const std::vector<log::Entry> barrier = {
      log::MakeControlEntry(log::EntryKind::kBarrier, "", last_index() + 1, term(), Offset(0), 0)};
  StepEntries entries(barrier, nullptr);
  if (const int error = Submit(entries); error != 0) {
    Close(base::StrCat("the engine refused a barrier: ", raft_strerror(error)));
  }
}

void LibraftCore::Close(std::string reason) {
  if (closed_) return;
  closed_ = true;
  reads_.Poll(nullptr, now_ms_, actions_);
  AnnounceState();
  actions_.push_back(CoreClosed{std::move(reason)});
}

}  // namespace cairn::consensus
