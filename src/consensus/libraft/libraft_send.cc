// Messages out.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "consensus/libraft/libraft_core.h"

namespace cairn::consensus {

void LibraftCore::Emit(NodeId to, Message message) {
  actions_.push_back(SendMessage{to, std::move(message)});
}

void LibraftCore::Send(const raft_message& message) {
  if (message.server_id == 0) return;  // an answer to the leader that guard G9 made it forget
  const NodeId to = FromEngineId(message.server_id);
  switch (message.type) {
    case RAFT_REQUEST_VOTE: {
      const raft_request_vote& native = message.request_vote;
      return Emit(to, RequestVote{FromEngineTerm(native.term), Index(native.last_log_index),
                                  FromEngineTerm(native.last_log_term), native.disrupt_leader,
                                  native.pre_vote});
    }
    case RAFT_REQUEST_VOTE_RESULT: {
      const raft_request_vote_result& native = message.request_vote_result;
      Term told = FromEngineTerm(native.term);
      if (guards_.tell_term_when_denying && native.pre_vote && !native.vote_granted) {  // G6
        told = std::max(told, term());
      }
      return Emit(to, RequestVoteResult{told, native.vote_granted, native.pre_vote});
    }
    case RAFT_APPEND_ENTRIES:
      SendAppend(to, message.append_entries);
      return AskNewcomer(to);
    case RAFT_APPEND_ENTRIES_RESULT: {
      const raft_append_entries_result& native = message.append_entries_result;
      AppendEntriesResult result{FromEngineTerm(native.term), Index(native.rejected),
                                 Index(native.last_log_index), Term(0)};
      if (guards_.skip_divergent_terms && native.rejected > 0 && !installing_) {
        // G13, the follower's half: the leader's entries up to prev have terms of at most
        // prev_term, and ours match up to the commit index.
        result.last_index =
            terms_.LastAtMost(incoming_prev_term_, result.last_index, Index(raft_.commit_index));
        result.hint = terms_.TermAt(result.last_index);
      }
      return Emit(to, result);
    }
    case RAFT_INSTALL_SNAPSHOT:
      return SendSnapshot(to, Index(message.install_snapshot.last_index),
                          FromEngineTerm(message.install_snapshot.last_term));
    case RAFT_TIMEOUT_NOW: {
      if (guards_.hand_over_when_matched && MatchIndex(to) != last_index()) {  // G16
        hand_over_to_ = to;
        return;
      }
      const raft_timeout_now& native = message.timeout_now;
      return Emit(to, TimeoutNow{FromEngineTerm(native.term), Index(native.last_log_index),
                                 FromEngineTerm(native.last_log_term)});
    }
  }
}

// Behind what makes it know the term, and with each of them: it may get lost.
void LibraftCore::AskNewcomer(NodeId node) {
  const auto newcomer = newcomers_.find(node);
  if (newcomer != newcomers_.end()) Emit(node, Probe{term(), newcomer->second});
}

void LibraftCore::HandOverWhenMatched() {
  if (!hand_over_to_) return;
  const NodeId to = *hand_over_to_;
  const bool matched = MatchIndex(to) == last_index();
  if (leads() && raft_transferee(&raft_) == ToEngineId(to) && !matched) return;
  hand_over_to_.reset();
  if (!leads() || raft_transferee(&raft_) != ToEngineId(to)) return;  // the engine gave up
  Emit(to, TimeoutNow{term(), last_index(), terms_.last_term()});
}

void LibraftCore::SendAppend(NodeId to, const raft_append_entries& message) {
  const Index prev_index(message.prev_log_index);
  if (guards_.snapshot_at_one && prev_index.value() == 0 && terms_.snapshot_index() == Index(1)) {
    return SendSnapshot(to, Index(1), terms_.TermAt(Index(1)));  // G11
  }
  uint64_t count = message.n_entries;
  if (guards_.hold_configuration) {  // G10
    // Entries behind it that go without it are rejected, and sent again by the engine.
    const auto held = configurations_.upper_bound(std::max(prev_index, Index(raft_.last_stored)));
    if (held != configurations_.end()) {
      count = std::min<uint64_t>(count, held->first - prev_index - 1);
    }
  }
  Emit(to, AppendEntries{FromEngineTerm(message.term),
                         prev_index,
                         FromEngineTerm(message.prev_log_term),
                         Index(message.leader_commit),
                         static_cast<uint32_t>(count),
                         {}});
}

void LibraftCore::SendSnapshot(NodeId to, Index index, Term snapshot_term) {
  CAIRN_CHECK(index == terms_.snapshot_index(), "the engine's log start is not ours");
  const auto& [configuration_index, configuration] = *configurations_.begin();
  Emit(to, InstallSnapshot{term(), index, snapshot_term, configuration_index,
                           configuration.Encode(), Offset(0), ""});
}

}  // namespace cairn::consensus
