// Members and what is said of them: intents by logical time, reconnecting, forgetting.
#include <utility>

#include "base/strings.h"
#include "gossip/serf/serf.h"

namespace cairn::gossip {

void Serf::Emit(MemberChange change, const SerfMember& member) {
  events_out_.push_back(MemberEvent{change, member});
}

// Says that this node is here, later than anything that was said before.
void Serf::TellJoin() {
  const JoinIntent intent{member_clock_.Increment(), config_.swim.name};
  OnJoinIntent(intent);
  intents_.Add("", AsUserMessage(Encode(intent)));
}

bool Serf::RememberIntent(const std::string& name, bool leave, LamportTime time) {
  const auto at = recent_intents_.find(name);
  if (at == recent_intents_.end() && recent_intents_.size() >= kMaxRecentIntents) return false;
  if (at != recent_intents_.end() && at->second.time >= time) return false;
  recent_intents_[name] = {leave, time, scheduler_.now_ns()};
  return true;
}

bool Serf::OnJoinIntent(const JoinIntent& intent) {
  if (intent.time > kMaxLamportTime) {
    CountRefused();
    return false;
  }
  member_clock_.Witness(intent.time);
  const auto at = members_.find(intent.node);
  if (at == members_.end()) return RememberIntent(intent.node, false, intent.time);
  SerfMember& member = at->second;
  if (intent.time <= member.status_time) return false;
  member.status_time = intent.time;
  if (member.status == MemberStatus::kLeaving && !(leaving_ && intent.node == config_.swim.name)) {
    member.status = MemberStatus::kAlive;
  }
  return true;
}

bool Serf::OnLeaveIntent(const LeaveIntent& intent) {
  if (intent.time > kMaxLamportTime) {
    CountRefused();
    return false;
  }
  member_clock_.Witness(intent.time);
  const auto at = members_.find(intent.node);
  if (at == members_.end()) return RememberIntent(intent.node, true, intent.time);
  SerfMember& member = at->second;
  if (intent.time <= member.status_time) return false;
  if (intent.node == config_.swim.name && !leaving_) {
    TellJoin();  // of an earlier life; or somebody would like it gone
    return false;
  }
  member.status_time = intent.time;
  switch (member.status) {
    case MemberStatus::kAlive:
      member.status = MemberStatus::kLeaving;
      break;
    case MemberStatus::kFailed:
      member.status = MemberStatus::kLeft;
      Emit(MemberChange::kLeft, member);
      break;
    default:
      break;
  }
  if (intent.prune) Prune(intent.node);
  return true;
}

// Forgets a member; one that is still leaving, when everybody has heard of it.
void Serf::Prune(const std::string& name) {
  const auto at = members_.find(name);
  if (at == members_.end() || name == config_.swim.name) return;
  if (at->second.status == MemberStatus::kLeaving) {
    scheduler_.After(config_.broadcast_timeout_ns + config_.leave_propagate_ns, [this, name] {
      const auto later = members_.find(name);
      if (later != members_.end() && later->second.status == MemberStatus::kLeft) Prune(name);
    });
    return;
  }
  if (at->second.status == MemberStatus::kAlive) return;
  const SerfMember member = std::move(at->second);
  members_.erase(at);
  coordinates_.Forget(name);
  others_coordinates_.erase(name);
  Emit(MemberChange::kReaped, member);
}

absl::Status Serf::ForceLeave(const std::string& name, bool prune) {
  if (name == config_.swim.name) {
    return absl::FailedPreconditionError("a node leaves by Leave, not by force");
  }
  if (!members_.contains(name)) {
    return absl::NotFoundError(base::StrCat("no member has the name ", name));
  }
  const LeaveIntent intent{member_clock_.time(), name, prune};
  member_clock_.Increment();
  OnLeaveIntent(intent);
  intents_.Add("", AsUserMessage(Encode(intent)));
  return absl::OkStatus();
}

void Serf::ReapTick() {
  scheduler_.After(config_.reap_interval_ns, [this] { ReapTick(); });
  const int64_t now_ns = scheduler_.now_ns();
  std::vector<std::string> old;
  for (const auto& [name, member] : members_) {
    const int64_t gone_for_ns = now_ns - member.gone_ns;
    if ((member.status == MemberStatus::kFailed && gone_for_ns > config_.reconnect_timeout_ns) ||
        (member.status == MemberStatus::kLeft && gone_for_ns > config_.tombstone_timeout_ns)) {
      old.push_back(name);
    }
  }
  for (const std::string& name : old) Prune(name);
  std::erase_if(recent_intents_, [&](const auto& intent) {
    return now_ns - intent.second.since_ns > config_.recent_intent_timeout_ns;
  });
}

// In a large cluster that lost few, not everybody asks each time: as many in all as have failed.
void Serf::ReconnectTick() {
  scheduler_.After(config_.reconnect_interval_ns, [this] { ReconnectTick(); });
  std::vector<const SerfMember*> failed;
  size_t here = 0;
  for (const auto& [name, member] : members_) {
    if (member.status == MemberStatus::kFailed) failed.push_back(&member);
    if (member.status == MemberStatus::kAlive) ++here;
  }
  if (failed.empty() || leaving_) return;
  if (RandomBelow(random_, std::max<size_t>(1, here)) >= failed.size()) return;
  const SerfMember* member = failed[RandomBelow(random_, failed.size())];
  swim_.Join(member->address, nullptr);
}

}  // namespace cairn::gossip
