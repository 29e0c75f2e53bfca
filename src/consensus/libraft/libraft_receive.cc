// Messages in.
#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/strings.h"
#include "consensus/libraft/engine_configuration.h"
#include "consensus/libraft/libraft_core.h"

namespace cairn::consensus {
namespace {

// From 2 on the engine tells votes from pre-votes (message.h).
constexpr unsigned char kVoteVersion = 2;
// G18. For so many election timeouts a follower may deny what it acknowledged; after the first one
// somebody else is asked to lead.
constexpr int64_t kMostLossTimeouts = 3;

}  // namespace

void LibraftCore::Receive(NodeId from, Message message, int64_t now_ms) {
  if (closed_) return;
  Advance(now_ms);
  WatchDisk();
  if (closed_) return;
  std::visit([this, from](auto& each) { Take(from, std::move(each)); }, message);
}

// `entries->batch` is the engine's during the step: it frees it, or CarryOut does.
void LibraftCore::ReceiveStep(NodeId from, raft_message& message, StepEntries* entries) {
  const std::string address = EngineAddress(from);
  message.server_id = ToEngineId(from);
  message.server_address = address.c_str();
  raft_event event{};
  event.type = RAFT_RECEIVE;
  event.receive.message = &message;
  MustStep(event, "take a message", entries);
}

void LibraftCore::Take(NodeId from, const RequestVote& message) {
  if (passive()) return;  // whom it would vote for it cannot judge
  raft_server* self = nullptr;
  int own_role = 0;
  if (guards_.vote_as_asked) {  // G9
    if (raft_.state == RAFT_FOLLOWER &&
        now_ms_ - heard_leader_ms_ >= options_.election_timeout_ms) {
      raft_.follower_state.current_leader.id = 0;
    }
    for (unsigned i = 0; i < raft_.configuration.n; ++i) {
      raft_server& server = raft_.configuration.servers[i];
      if (server.id == raft_.id && server.role != RAFT_VOTER) {
        self = &server;
        own_role = std::exchange(server.role, RAFT_VOTER);
      }
    }
  }
  raft_message native{};
  native.type = RAFT_REQUEST_VOTE;
  native.request_vote.version = kVoteVersion;
  native.request_vote.term = ToEngineTerm(message.term);
  native.request_vote.candidate_id = ToEngineId(from);
  native.request_vote.last_log_index = message.last_index.value();
  native.request_vote.last_log_term = ToEngineTerm(message.last_term);
  native.request_vote.disrupt_leader = message.disrupt_leader;
  native.request_vote.pre_vote = message.pre_vote;
  ReceiveStep(from, native);
  if (self != nullptr) self->role = own_role;  // a vote request changes no configuration
}

void LibraftCore::Take(NodeId from, const RequestVoteResult& message) {
  if (passive()) return;
  if (guards_.votes_only_for_candidates && raft_.state != RAFT_CANDIDATE) return;  // G4
  raft_message native{};
  native.type = RAFT_REQUEST_VOTE_RESULT;
  native.request_vote_result.version = kVoteVersion;
  native.request_vote_result.term = ToEngineTerm(message.term);
  native.request_vote_result.vote_granted = message.granted;
  native.request_vote_result.pre_vote = message.pre_vote;
  ReceiveStep(from, native);
}

void LibraftCore::Take(NodeId from, const AppendEntries& message) {
  if (guards_.answer_stale_leaders && message.term < term()) return AnswerStaleLeader(from);
  if (raft_.state != RAFT_LEADER) heard_leader_ms_ = now_ms_;
  std::span<const log::Entry> entries = message.entries;
  Index prev_index = message.prev_index;
  Term prev_term = message.prev_term;
  if (guards_.anchor_at_commit && !installing_ && prev_index.value() < raft_.commit_index) {  // G1
    const uint64_t known = raft_.commit_index - prev_index.value();
    entries = entries.subspan(std::min<uint64_t>(known, entries.size()));
    prev_index = Index(raft_.commit_index);
    prev_term = terms_.TermAt(prev_index);
  }
  // G7: a configuration is the first entry the engine sees of its message.
  while (true) {
    size_t part = entries.size();
    if (guards_.split_at_configuration && !entries.empty()) {
      const auto next = std::find_if(entries.begin() + 1, entries.end(), [](const auto& entry) {
        return entry.header.kind == log::EntryKind::kConfiguration;
      });
      part = static_cast<size_t>(next - entries.begin());
    }
    TakeAppendPart(from, message, prev_index, prev_term, entries.first(part));
    if (part == entries.size() || closed_) return;
    prev_index = entries[part - 1].header.index;
    prev_term = entries[part - 1].header.term;
    entries = entries.subspan(part);
    // The part before was rejected, and has been answered; so would this one be.
    if (terms_.TermAt(prev_index) != prev_term) return;
  }
}

void LibraftCore::TakeAppendPart(NodeId from, const AppendEntries& message, Index prev_index,
                                 Term prev_term, std::span<const log::Entry> entries) {
  // While a snapshot is installed the engine ignores entries, and what it says of its
  // configurations is of the log that is being dropped.
  const Index uncommitted(installing_ ? 0 : raft_.configuration_uncommitted_index);
  if (guards_.commit_before_next_change && uncommitted.value() > 0 && !entries.empty() &&
      entries.front().header.kind == log::EntryKind::kConfiguration && uncommitted <= prev_index &&
      terms_.TermAt(prev_index) == prev_term) {  // G15
    raft_event event{};
    event.type = RAFT_CONFIGURATION;
    event.configuration.index = uncommitted.value();
    event.configuration.conf = ToEngine(configurations_.at(uncommitted));
    MustStep(event, "apply a configuration");
  }
  // The engine wants to own the memory of entries; ours is counted, so it owns a byte.
  StepEntries views(entries, entries.empty() ? nullptr : raft_malloc(1));
  raft_message native{};
  native.type = RAFT_APPEND_ENTRIES;
  native.append_entries.term = ToEngineTerm(message.term);
  native.append_entries.prev_log_index = prev_index.value();
  native.append_entries.prev_log_term = ToEngineTerm(prev_term);
  native.append_entries.leader_commit = message.commit.value();
  native.append_entries.entries = views.views.data();
  native.append_entries.n_entries = static_cast<unsigned>(entries.size());
  incoming_prev_term_ = prev_term;
  ReceiveStep(from, native, &views);
}

void LibraftCore::Take(NodeId from, AppendEntriesResult message) {
  if (guards_.lead_no_more_than_is_kept) WatchForLosses(from, message);
  if (closed_ || !IsUsefulResult(from, message)) return;
  raft_message native{};
  native.type = RAFT_APPEND_ENTRIES_RESULT;
  native.append_entries_result.term = ToEngineTerm(message.term);
  native.append_entries_result.rejected = message.rejected.value();
  native.append_entries_result.last_log_index = message.last_index.value();
  ReceiveStep(from, native);
}

void LibraftCore::Take(NodeId from, const InstallSnapshot& message) {
  if (guards_.answer_stale_leaders && message.term < term()) return AnswerStaleLeader(from);
  if (raft_.state != RAFT_LEADER) heard_leader_ms_ = now_ms_;
  // The engine would drop it too, and lose its memory (replication.c:946).
  if (installing_) return;
  auto configuration = Configuration::Decode(message.configuration);
  CAIRN_CHECK(configuration.ok(), "a snapshot was not checked before it came here");
  raft_message native{};
  native.type = RAFT_INSTALL_SNAPSHOT;
  native.install_snapshot.term = ToEngineTerm(message.term);
  native.install_snapshot.last_index = message.last_index.value();
  native.install_snapshot.last_term = ToEngineTerm(message.last_term);
  native.install_snapshot.conf = ToEngine(*configuration);
  native.install_snapshot.conf_index = message.configuration_index.value();
  native.install_snapshot.data = {raft_malloc(1), 1};  // it wants to own some
  incoming_snapshot_ = &message;
  ReceiveStep(from, native);
  incoming_snapshot_ = nullptr;
}

void LibraftCore::Take(NodeId from, const TimeoutNow& message) {
  if (passive()) return;
  if (guards_.sole_voter_takes_term && IsSoleVoter()) return;  // B4: it would keep its term
  raft_message native{};
  native.type = RAFT_TIMEOUT_NOW;
  native.timeout_now.term = ToEngineTerm(message.term);
  native.timeout_now.last_log_index = message.last_index.value();
  native.timeout_now.last_log_term = ToEngineTerm(message.last_term);
  ReceiveStep(from, native);
}

void LibraftCore::Take(NodeId from, const Probe& message) {
  if (message.term == term()) Emit(from, ProbeResult{message.term, message.sequence});
}

void LibraftCore::Take(NodeId from, const ProbeResult& message) {
  if (const auto newcomer = newcomers_.find(from); newcomer != newcomers_.end() && leads() &&
                                                   message.term == term() &&
                                                   message.sequence == newcomer->second) {
    newcomers_.erase(newcomer);
  }
  reads_.OnResult(from, message);
  PollReads();
}

// G5: tells the old leader our term, and cannot be taken for an acknowledgement.
void LibraftCore::AnswerStaleLeader(NodeId from) {
  Emit(from,
       AppendEntriesResult{term(), Index(std::numeric_limits<uint64_t>::max()), Index(0), Term(0)});
}

// G18. A late rejection says so, too, but soon an acknowledgement follows.
void LibraftCore::WatchForLosses(NodeId from, const AppendEntriesResult& message) {
  if (!leads() || message.term != term()) return;
  raft_index match = 0;
  if (message.rejected.value() == 0 || raft_match_index(&raft_, ToEngineId(from), &match) != 0 ||
      message.last_index >= Index(match)) {
    lost_since_ms_.erase(from);
    return;
  }
  const int64_t lasts_ms = now_ms_ - lost_since_ms_.try_emplace(from, now_ms_).first->second;
  if (lasts_ms >= kMostLossTimeouts * options_.election_timeout_ms) {
    return StepAside(base::StrCat("node ", from.value(), " has lost entries it had acknowledged"));
  }
  if (lasts_ms >= options_.election_timeout_ms && !aside_since_ms_ &&
      raft_transferee(&raft_) == 0) {
    Transfer(NodeId(), now_ms_).IgnoreError();  // there is another way, above
  }
}

bool LibraftCore::IsUsefulResult(NodeId from, AppendEntriesResult& message) const {
  if (!leads() || message.term != term()) return true;
  if (message.rejected.value() == 0) return !newcomers_.contains(from);  // G17
  raft_index match = 0;
  if (raft_match_index(&raft_, ToEngineId(from), &match) != 0) return true;  // no member
  if (guards_.drop_stale_rejections && message.rejected.value() <= match) return false;  // G2
  if (guards_.skip_divergent_terms && message.hint.value() > 0) {  // G13, the leader's half
    // The follower has `hint` at last_index: what we have of higher terms cannot match there or
    // below. What we compacted it gets by snapshot.
    message.last_index = terms_.LastAtMost(message.hint, message.last_index,
                                           std::max(Index(match), terms_.snapshot_index()));
  }
  if (guards_.drop_stale_rejections) {  // G3
    message.last_index = std::max(message.last_index, Index(match));
  }
  return true;
}

}  // namespace cairn::consensus
