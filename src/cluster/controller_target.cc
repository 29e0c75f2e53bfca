#include "cluster/controller_target.h"

#include <algorithm>
#include <map>
#include <string>
#include <tuple>

namespace cairn::cluster {
namespace {

class Chooser {
 public:
  Chooser(const Metadata& metadata, const Observed& observed)
      : metadata_(metadata), observed_(observed) {
    const auto it = observed.groups.find(kControllerGroup);
    if (it != observed.groups.end()) view_ = it->second;
  }

  std::vector<NodeId> Choose() {
    const size_t goal = Goal();
    Keep(NodeState::kActive);
    Cut(goal);
    const size_t kept = voters_.size();
    while (voters_.size() < goal && AddCandidate()) {
    }
    const size_t added = voters_.size() - kept;
    if (voters_.size() < goal) Keep(NodeState::kDead);
    if (voters_.size() < goal) Keep(NodeState::kDraining);
    Cut(goal);
    // One more voter that makes the number even is one more that can fail.
    if (voters_.size() % 2 == 0 && added > 0) {
      voters_.erase(voters_.begin() + static_cast<std::ptrdiff_t>(kept + added - 1));
    }
    std::sort(voters_.begin(), voters_.end());
    SpreadOverRacks();
    std::sort(voters_.begin(), voters_.end());
    return voters_;
  }

 private:
  // As many as the nodes that stay allow; the dead count, since they may come back.
  size_t Goal() const {
    const size_t staying =
        metadata_.node_count(NodeState::kActive) + metadata_.node_count(NodeState::kDead);
    const size_t most =
        std::min(staying, static_cast<size_t>(metadata_.settings.controller_voters));
    return most == 0 ? 1 : most - (most % 2 == 0 ? 1 : 0);
  }

  bool IsReachable(NodeId node) const {
    const auto it = observed_.nodes.find(node);
    return it != observed_.nodes.end() && it->second.reachable;
  }
  bool IsCandidate(const NodeInfo& node) const {
    const auto view = view_.members.find(node.id);
    const bool damaged = view != view_.members.end() && view->second.damaged;
    return node.state == NodeState::kActive && IsReachable(node.id) && !damaged &&
           std::find(voters_.begin(), voters_.end(), node.id) == voters_.end();
  }
  int64_t RackUse(const std::string& rack) const {
    return std::count_if(voters_.begin(), voters_.end(),
                         [&](NodeId node) { return RackOf(metadata_.nodes.at(node)) == rack; });
  }

  // The nodes in this state that vote now stay.
  void Keep(NodeState state) {
    for (const consensus::Member& member : view_.configuration.members()) {
      const NodeInfo* node = metadata_.FindNode(member.node);
      if (member.role == consensus::MemberRole::kVoter && node != nullptr && node->state == state) {
        voters_.push_back(member.node);
      }
    }
  }

  void Cut(size_t size) {
    if (voters_.size() <= size) return;
    // Last, and so first to go: the silent, then the newest; never the leader.
    std::stable_sort(voters_.begin(), voters_.end(), [&](NodeId a, NodeId b) {
      return std::tuple(a != view_.leader, !IsReachable(a)) <
             std::tuple(b != view_.leader, !IsReachable(b));
    });
    voters_.resize(size);
  }

  // The candidate on the rack with the fewest voters, the oldest of them.
  const NodeInfo* BestCandidate() const {
    const NodeInfo* best = nullptr;
    for (const auto& [id, node] : metadata_.nodes) {
      if (!IsCandidate(node)) continue;
      if (best == nullptr || RackUse(RackOf(node)) < RackUse(RackOf(*best))) best = &node;
    }
    return best;
  }
  bool AddCandidate() {
    const NodeInfo* node = BestCandidate();
    if (node != nullptr) voters_.push_back(node->id);
    return node != nullptr;
  }

  // While two voters share a rack and another rack has none: the newer of the two makes room.
  void SpreadOverRacks() {
    for (const NodeInfo* node = BestCandidate(); node != nullptr && RackUse(RackOf(*node)) == 0;
         node = BestCandidate()) {
      const auto crowded = std::find_if(voters_.rbegin(), voters_.rend(), [&](NodeId voter) {
        return voter != view_.leader && RackUse(RackOf(metadata_.nodes.at(voter))) > 1;
      });
      if (crowded == voters_.rend()) return;
      *crowded = node->id;
    }
  }

  const Metadata& metadata_;
  const Observed& observed_;
  GroupView view_;
  std::vector<NodeId> voters_;
};

}  // namespace

GroupTarget ControllerTarget(const Metadata& metadata, const Observed& observed) {
  GroupTarget target;
  target.voters = Chooser(metadata, observed).Choose();
  for (const auto& [id, node] : metadata.nodes) {
    const bool follows = node.state == NodeState::kActive || node.state == NodeState::kDraining;
    const bool votes =
        std::find(target.voters.begin(), target.voters.end(), id) != target.voters.end();
    if (follows && !votes) target.standbys.push_back(id);
  }
  return target;
}

}  // namespace cairn::cluster
