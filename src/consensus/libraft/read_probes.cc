#include "consensus/libraft/read_probes.h"

#include <algorithm>
#include <utility>

namespace cairn::consensus {
namespace {

// Reads that may wait for one question: what a partition from the majority may cost in memory.
constexpr size_t kMaxWaitingReads = 65536;

}  // namespace

std::optional<int64_t> ReadProbes::deadline_ms() const {
  std::optional<int64_t> result;
  const auto note = [&result](int64_t at) { result = result ? std::min(*result, at) : at; };
  if (!waiting_.empty()) note(waiting_.front().since_ms + timeout_ms_);
  if (round_) {
    note(round_->sent_ms + resend_ms_);
    if (!round_->reads.empty()) note(round_->reads.front().since_ms + timeout_ms_);
  }
  return result;
}

void ReadProbes::Add(uint64_t token, int64_t now_ms, std::vector<Action>& actions) {
  if (waiting_.size() >= kMaxWaitingReads) {
    actions.push_back(ReadReady{token, std::nullopt});
    return;
  }
  waiting_.push_back({token, now_ms});
}

void ReadProbes::OnResult(NodeId from, const ProbeResult& result) {
  if (round_ && result.sequence == round_->sequence && result.term == round_->term) {
    round_->yes.insert(from);
  }
}

void ReadProbes::Poll(const Leader* leader, int64_t now_ms, std::vector<Action>& actions) {
  if (leader == nullptr) {
    if (round_) Answer(std::exchange(round_, std::nullopt)->reads, std::nullopt, actions);
    Answer(std::exchange(waiting_, {}), std::nullopt, actions);
    return;
  }
  // A majority of another configuration proves nothing about this one: ask again.
  if (round_ && (round_->term != leader->term || round_->configuration != leader->configuration)) {
    waiting_.insert(waiting_.begin(), round_->reads.begin(), round_->reads.end());
    round_.reset();
  }
  if (round_ && Proven()) {
    Answer(round_->reads, round_->commit, actions);
    round_.reset();
  }
  GiveUpOld(waiting_, now_ms, actions);
  if (round_) {
    GiveUpOld(round_->reads, now_ms, actions);
    if (round_->reads.empty()) round_.reset();
  }
  if (!round_ && !waiting_.empty() && leader->own_term_committed) {
    round_ = Round{++sequence_,    leader->term,
                   leader->commit, leader->configuration,
                   {leader->self}, std::exchange(waiting_, {}),
                   now_ms};
    if (Proven()) {
      Answer(std::exchange(round_, std::nullopt)->reads, leader->commit, actions);
    } else {
      Ask(*leader, now_ms, actions);
    }
  } else if (round_ && now_ms - round_->sent_ms >= resend_ms_) {
    Ask(*leader, now_ms, actions);
  }
}

void ReadProbes::Ask(const Leader& leader, int64_t now_ms, std::vector<Action>& actions) {
  round_->sent_ms = now_ms;
  for (const Member& member : leader.configuration.members()) {
    if (member.role != MemberRole::kVoter || round_->yes.contains(member.node)) continue;
    actions.push_back(SendMessage{member.node, Probe{round_->term, round_->sequence}});
  }
}

bool ReadProbes::Proven() const {
  const auto yes = std::count_if(round_->yes.begin(), round_->yes.end(), [this](NodeId node) {
    return round_->configuration.IsVoter(node);
  });
  return static_cast<size_t>(yes) > round_->configuration.voter_count() / 2;
}

void ReadProbes::Answer(const std::vector<Read>& reads, std::optional<Index> index,
                        std::vector<Action>& actions) {
  for (const Read& read : reads) actions.push_back(ReadReady{read.token, index});
}

void ReadProbes::GiveUpOld(std::vector<Read>& reads, int64_t now_ms,
                           std::vector<Action>& actions) const {
  auto young = reads.begin();  // they wait in the order in which they came
  while (young != reads.end() && now_ms - young->since_ms >= timeout_ms_) ++young;
  Answer({reads.begin(), young}, std::nullopt, actions);
  reads.erase(reads.begin(), young);
}

}  // namespace cairn::consensus
