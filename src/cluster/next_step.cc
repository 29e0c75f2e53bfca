#include "cluster/next_step.h"

#include <algorithm>
#include <tuple>

#include "base/strings.h"
#include "cluster/placement.h"

namespace cairn::cluster {
namespace {

using consensus::Configuration;
using consensus::Member;
using consensus::MemberRole;
using Kind = MembershipStep::Kind;

class Planner {
 public:
  Planner(const GroupView& view, const GroupTarget& target)
      : view_(view), now_(view.configuration), target_(target) {}

  StepPlan Plan() {
    if (target_.voters.empty()) return {};  // the topic is gone: its nodes drop their replicas
    if (!view_.may_change) return Wait("the last change of leader or members is not committed yet");
    if (auto step = DropStandby()) return Do(*step);
    if (auto step = AddStandby()) return Do(*step);
    if (auto step = Promote()) return Do(*step);
    // Voters go only when those that replace them are there.
    const bool complete = std::all_of(target_.voters.begin(), target_.voters.end(),
                                      [&](NodeId node) { return now_.IsVoter(node); });
    if (complete) {
      if (auto step = DropVoter()) return Do(*step);
    }
    if (waits_for_.empty()) {
      if (auto step = PreferLeader()) return Do(*step);
    }
    return Wait(waits_for_);
  }

 private:
  static StepPlan Do(MembershipStep step) { return {std::move(step), ""}; }
  static StepPlan Wait(std::string why) { return {std::nullopt, std::move(why)}; }
  void Note(std::string why) {
    if (waits_for_.empty()) waits_for_ = std::move(why);
  }

  MemberView ViewOf(NodeId node) const {
    if (node == view_.leader) {
      return {.reachable = true, .reachable_for_ms = kPreferredLeaderStableMs, .lag_entries = 0};
    }
    const auto it = view_.members.find(node);
    return it == view_.members.end() ? MemberView() : it->second;
  }
  bool IsLive(NodeId node) const {
    const MemberView view = ViewOf(node);
    return view.reachable && !view.damaged;
  }
  bool IsWanted(NodeId node) const {
    return Contains(target_.voters, node) || Contains(target_.standbys, node);
  }

  // Of a configuration to be: can it commit?
  bool HasLiveMajority(const Configuration& to) const {
    size_t live = 0;
    for (const Member& member : to.members()) {
      if (member.role == MemberRole::kVoter && IsLive(member.node)) ++live;
    }
    return live > to.voter_count() / 2;
  }

  std::optional<MembershipStep> DropStandby() {
    for (const Member& member : now_.members()) {
      if (member.role == MemberRole::kVoter || IsWanted(member.node)) continue;
      return MembershipStep{Kind::kRemove, member.node, now_.Without(member.node)};
    }
    return std::nullopt;
  }

  std::optional<MembershipStep> AddStandby() {
    for (const auto* wanted : {&target_.voters, &target_.standbys}) {
      for (const NodeId node : *wanted) {
        if (now_.Contains(node)) continue;
        if (ViewOf(node).reachable) {
          return MembershipStep{Kind::kAddStandby, node, now_.With(node, MemberRole::kStandby)};
        }
        Note(base::StrCat("node ", node.value(), " does not answer and cannot be added"));
      }
    }
    return std::nullopt;
  }

  std::optional<MembershipStep> Promote() {
    for (const NodeId node : target_.voters) {
      if (now_.RoleOf(node) != MemberRole::kStandby) continue;
      const MemberView view = ViewOf(node);
      const std::string who = base::StrCat("standby ", node.value());
      const Configuration to = now_.With(node, MemberRole::kVoter);
      if (!view.reachable) {
        Note(who + " does not answer");
      } else if (view.damaged) {
        Note(who + " repairs its damaged log");
      } else if (!view.lag_entries.has_value()) {
        Note(who + " has not said how far it is");
      } else if (*view.lag_entries > kPromoteLagEntries) {
        Note(base::StrCat(who, " is ", WithCommas(*view.lag_entries), " entries behind"));
      } else if (!HasLiveMajority(to)) {
        Note(who + " has caught up, but with it too few of the voters would be alive");
      } else {
        return MembershipStep{Kind::kPromote, node, to};
      }
    }
    return std::nullopt;
  }

  std::optional<MembershipStep> DropVoter() {
    std::vector<NodeId> extra;
    for (const Member& member : now_.members()) {
      const bool votes = member.role == MemberRole::kVoter;
      if (votes && !Contains(target_.voters, member.node)) extra.push_back(member.node);
    }
    if (extra.empty()) return std::nullopt;
    // Dead ones first: that makes the group safer at once. The leader itself last.
    std::stable_sort(extra.begin(), extra.end(), [&](NodeId a, NodeId b) {
      return std::tuple(a == view_.leader, IsLive(a)) < std::tuple(b == view_.leader, IsLive(b));
    });
    const NodeId node = extra.front();
    if (node == view_.leader) return HandOver();
    const bool follows_on = Contains(target_.standbys, node);
    const Configuration to =
        follows_on ? now_.With(node, MemberRole::kStandby) : now_.Without(node);
    if (HasLiveMajority(to)) {
      return MembershipStep{follows_on ? Kind::kDemote : Kind::kRemove, node, to};
    }
    Note(base::StrCat("voter ", node.value(),
                      " must go, but without it too few of the voters would be alive"));
    return std::nullopt;
  }

  // The leader is to go: to the preferred leader, or whoever is closest.
  std::optional<MembershipStep> HandOver() {
    std::optional<NodeId> best;
    std::tuple<bool, uint64_t> best_cost;
    for (const NodeId node : target_.voters) {
      const MemberView view = ViewOf(node);
      if (!IsLive(node) || view.lag_entries.value_or(UINT64_MAX) > kPromoteLagEntries) continue;
      const std::tuple cost(node != target_.preferred_leader, *view.lag_entries);
      if (best.has_value() && cost >= best_cost) continue;
      best = node;
      best_cost = cost;
    }
    if (best.has_value()) return MembershipStep{Kind::kTransfer, *best, now_};
    Note(base::StrCat("leader ", view_.leader.value(),
                      " must go, but no other voter has caught up to take over"));
    return std::nullopt;
  }

  std::optional<MembershipStep> PreferLeader() {
    const NodeId node = target_.preferred_leader;
    if (node == NodeId() || node == view_.leader || !now_.IsVoter(node)) return std::nullopt;
    const MemberView view = ViewOf(node);
    const std::string who = base::StrCat("node ", node.value(), " should lead and ");
    if (!view.reachable) {
      Note(who + "does not answer");
    } else if (view.damaged) {
      Note(who + "repairs its damaged log");
    } else if (view.lag_entries.value_or(UINT64_MAX) > kPromoteLagEntries) {
      Note(who + "has not caught up");
    } else if (view.reachable_for_ms < kPreferredLeaderStableMs) {
      Note(base::StrCat(who, "takes over when it has answered for ",
                        kPreferredLeaderStableMs / 1000, " s"));
    } else {
      return MembershipStep{Kind::kTransfer, node, now_};
    }
    return std::nullopt;
  }

  const GroupView& view_;
  const Configuration& now_;
  const GroupTarget& target_;
  std::string waits_for_;  // the first reason
};

}  // namespace

GroupTarget TargetOf(const PartitionInfo& partition) {
  return {
      .voters = partition.replicas, .standbys = {}, .preferred_leader = partition.replicas.front()};
}

StepPlan NextStep(const GroupView& view, const GroupTarget& target) {
  return Planner(view, target).Plan();
}

bool IsSettled(const Configuration& configuration, const GroupTarget& target) {
  std::vector<Member> members;
  for (const NodeId node : target.voters) members.push_back({node, MemberRole::kVoter});
  for (const NodeId node : target.standbys) members.push_back({node, MemberRole::kStandby});
  return configuration == Configuration(std::move(members));
}

std::string WithCommas(uint64_t number) {
  std::string text = std::to_string(number);
  for (size_t at = text.size(); at > 3;) text.insert(at -= 3, 1, ',');
  return text;
}

}  // namespace cairn::cluster
