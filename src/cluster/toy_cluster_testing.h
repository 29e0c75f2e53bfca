// A cluster that carries out what the planners say, as simply as it can be: nodes are up or down,
// a group commits while most of its voters are up, a follower that is up catches up by and by.
// Every step is checked against the safety rules of Raft membership.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "base/strings.h"
#include "cluster/cluster_testing.h"
#include "cluster/controller_target.h"
#include "cluster/next_step.h"
#include "cluster/placement.h"
#include "cluster/reconcile.h"

namespace cairn::cluster {

class ToyCluster {
 public:
  static constexpr int64_t kTickMs = 10'000;
  static constexpr uint64_t kLogEntries = 3'000'000;
  static constexpr uint64_t kCatchUpPerTick = 1'400'000;

  explicit ToyCluster(const std::vector<std::string>& racks) {
    for (const std::string& rack : racks) Add(rack);
  }
  explicit ToyCluster(size_t nodes) : ToyCluster(std::vector<std::string>(nodes)) {}

  NodeId Add(std::string rack = "") {
    const NodeId id = Join(metadata_, std::move(rack));
    up_.insert(id);
    heard_ms_[id] = now_ms_;
    up_since_ms_[id] = now_ms_;
    return id;
  }
  // `node` comes back with an empty disk, and the controller knows that its old self is gone.
  NodeId AddAgain(NodeId node) {
    const NodeId id =
        Do(metadata_, RegisterNode{.uuid = TestUuid(static_cast<uint64_t>(1000 + node.value())),
                                   .node = metadata_.FindNode(node)->description,
                                   .replaces = node,
                                   .time_ms = now_ms_})
            .node;
    up_.insert(id);
    heard_ms_[id] = now_ms_;
    up_since_ms_[id] = now_ms_;
    return id;
  }
  void Kill(NodeId node) { up_.erase(node); }
  void Revive(NodeId node) {
    if (up_.insert(node).second) up_since_ms_[node] = now_ms_;
  }
  void Drain(NodeId node) { Do(metadata_, SetNodeState{node, NodeState::kDraining, now_ms_}); }
  void CreateTopicHere(std::string name, int32_t partitions, int32_t factor = 0) {
    std::set<NodeId> candidates;
    for (const NodeId node : up_) {
      if (metadata_.FindNode(node)->state == NodeState::kActive) candidates.insert(node);
    }
    const auto placed = PlaceTopic(metadata_, candidates, partitions, factor);
    if (placed.ok()) Create(metadata_, std::move(name), *placed, factor);
  }
  void Delete(std::string name) {
    Do(metadata_, DeleteTopic{name});
    std::erase_if(groups_, [&](const auto& g) {
      return g.first != kControllerGroup && metadata_.FindPartition(g.first) == nullptr;
    });
  }

  // One tick: time passes, leaders are elected, followers catch up, every leader takes a step, the
  // controller reconciles. Returns whether anybody did anything.
  bool Tick() {
    now_ms_ += kTickMs;
    for (const NodeId node : up_) heard_ms_[node] = now_ms_;
    bool busy = false;
    FormGroups();
    for (auto& [id, group] : groups_) {
      Elect(id, group);
      CatchUp(group);
    }
    for (auto& [id, group] : groups_) busy |= StepOf(id, group);
    return Control() || busy;
  }
  void Run(int ticks) {
    for (int i = 0; i < ticks; ++i) Tick();
  }
  // Until nobody has anything to do; false: that took too long.
  bool Settle(int limit = 2000) {
    // One round of silence is not enough: the grace time may be running, or a leader's patience.
    const int quiet_enough = static_cast<int>(metadata_.settings.grace_ms / kTickMs) + 3;
    for (int quiet = 0; limit > 0; --limit) {
      quiet = Tick() ? 0 : quiet + 1;
      if (quiet >= quiet_enough) return true;
    }
    return false;
  }

  // What happened since the last call, one line each.
  std::string TakeTranscript() { return std::exchange(transcript_, ""); }
  // What `cairn cluster why` would print.
  std::string Why() const {
    std::string text;
    for (const Wait& wait : Reconcile(metadata_, View(), now_ms_).waits) {
      text += wait.about + ": " + wait.why + "\n";
    }
    return text;
  }

  Metadata& metadata() { return metadata_; }
  bool is_up(NodeId node) const { return up_.contains(node); }
  const consensus::Configuration& ConfigurationOf(GroupId group) const {
    return groups_.at(group).configuration;
  }
  bool HasLeader(GroupId group) const {
    return groups_.contains(group) && groups_.at(group).leader != NodeId();
  }
  NodeId LeaderOf(GroupId group) const { return groups_.at(group).leader; }

 private:
  struct Group {
    consensus::Configuration configuration;
    NodeId leader;
    std::map<NodeId, uint64_t> lag;  // 0: has all that was committed
  };

  void FormGroups() {
    if (groups_.empty()) groups_[kControllerGroup] = NewGroup({NodeId(1)});
    for (const auto& [number, topic] : metadata_.topics) {
      for (size_t i = 0; i < topic.partitions.size(); ++i) {
        if (groups_.contains(topic.group(i))) continue;
        groups_[topic.group(i)] = NewGroup(topic.partitions[i].initial);
      }
    }
  }
  static Group NewGroup(const std::vector<NodeId>& voters) {
    Group group;
    group.configuration = consensus::Configuration::OfVoters(voters);
    return group;
  }

  bool HasMajorityUp(const consensus::Configuration& configuration) const {
    size_t up = 0;
    for (const auto& member : configuration.members()) {
      if (member.role == consensus::MemberRole::kVoter && up_.contains(member.node)) ++up;
    }
    return up > configuration.voter_count() / 2;
  }

  void Elect(GroupId id, Group& group) {
    if (!HasMajorityUp(group.configuration)) {
      group.leader = NodeId();
      return;
    }
    const bool stays = group.configuration.IsVoter(group.leader) && up_.contains(group.leader);
    if (stays) return;
    group.leader = NodeId();
    for (const auto& member : group.configuration.members()) {
      const bool votes = member.role == consensus::MemberRole::kVoter;
      if (votes && up_.contains(member.node) && group.lag[member.node] == 0) {
        group.leader = member.node;
        break;
      }
    }
    EXPECT_NE(group.leader, NodeId()) << "committed entries of group " << id << " are lost";
  }

  void CatchUp(Group& group) {
    if (group.leader == NodeId()) return;
    for (const auto& member : group.configuration.members()) {
      uint64_t& lag = group.lag[member.node];
      const bool votes = member.role == consensus::MemberRole::kVoter;
      if (!up_.contains(member.node)) {
        lag += 10;  // the others go on
      } else if (votes) {
        lag = 0;
      } else {
        lag -= std::min(lag, kCatchUpPerTick);
      }
    }
  }

  GroupView ViewOf(const Group& group) const {
    GroupView view;
    view.leader = group.leader;
    view.reported_ms = group.leader == NodeId() ? 0 : now_ms_;
    view.configuration = group.configuration;
    for (const auto& [node, heard] : heard_ms_) {
      MemberView& member = view.members[node];
      member.reachable = up_.contains(node);
      member.reachable_for_ms = member.reachable ? now_ms_ - up_since_ms_.at(node) : 0;
      const auto lag = group.lag.find(node);
      if (lag != group.lag.end()) member.lag_entries = lag->second;
    }
    return view;
  }
  Observed View() const {
    Observed observed;
    observed.wall_ms = now_ms_;
    for (const auto& [node, heard] : heard_ms_) observed.nodes[node] = {up_.contains(node), heard};
    for (const auto& [id, group] : groups_) observed.groups[id] = ViewOf(group);
    return observed;
  }

  bool StepOf(GroupId id, Group& group) {
    if (group.leader == NodeId()) return false;
    const GroupTarget target = id == kControllerGroup ? ControllerTarget(metadata_, View())
                                                      : TargetOf(*metadata_.FindPartition(id));
    const auto step = NextStep(ViewOf(group), target).step;
    if (!step.has_value()) return false;
    using Kind = MembershipStep::Kind;
    const NodeId node = step->node;
    const char* verb = step->kind == Kind::kAddStandby ? "add standby"
                       : step->kind == Kind::kPromote  ? "promote"
                       : step->kind == Kind::kDemote   ? "demote"
                       : step->kind == Kind::kRemove   ? "remove"
                                                       : "hand over to";
    if (id != kControllerGroup || log_controller_) {
      Say(metadata_.GroupText(id), base::StrCat(verb, " ", node.value()));
    }
    if (step->kind == Kind::kTransfer) {
      EXPECT_TRUE(group.configuration.IsVoter(node) && up_.contains(node) && group.lag[node] == 0);
      EXPECT_EQ(step->to, group.configuration);
      group.leader = node;
      return true;
    }
    EXPECT_NE(node, group.leader) << "a leader changes its own membership";
    EXPECT_EQ(group.configuration.Without(node), step->to.Without(node)) << "two changes at once";
    EXPECT_TRUE(HasMajorityUp(step->to)) << metadata_.GroupText(id) << " cannot commit";
    if (step->kind == Kind::kPromote) {
      EXPECT_LE(group.lag[node], kPromoteLagEntries);
      group.lag[node] = 0;
    }
    if (step->kind == Kind::kAddStandby) group.lag[node] = kLogEntries;
    if (step->kind == Kind::kRemove) group.lag.erase(node);
    group.configuration = step->to;
    return true;
  }

  bool Control() {
    if (groups_[kControllerGroup].leader == NodeId()) return false;
    Observed observed = View();
    if (observes_late_) std::swap(observed, last_view_);
    const auto plan = Reconcile(metadata_, observed, now_ms_);
    for (const Command& command : plan.commands) {
      Do(metadata_, command);
      if (const auto* state = std::get_if<SetNodeState>(&command)) {
        Say("controller",
            metadata_.NodeText(state->node) + " is " + std::string(ToString(state->state)));
      } else if (const auto* removed = std::get_if<RemoveNode>(&command)) {
        Say("controller", metadata_.NodeText(removed->node) + " is removed");
      } else if (const auto* set = std::get_if<SetReplicas>(&command)) {
        std::string nodes;
        for (const NodeId node : set->replicas) nodes += base::StrCat(" ", node.value());
        Say("controller", metadata_.GroupText(GroupOf(set->topic, set->partition)) + " on" + nodes);
      }
    }
    return !plan.commands.empty();
  }

  void Say(const std::string& who, const std::string& what) {
    transcript_ += base::StrCat(now_ms_ / 1000, " s ", who, ": ", what, "\n");
  }

  Metadata metadata_;
  int64_t now_ms_ = 0;
  std::set<NodeId> up_;
  std::map<NodeId, int64_t> heard_ms_;
  std::map<NodeId, int64_t> up_since_ms_;
  std::map<GroupId, Group> groups_;
  std::string transcript_;
  Observed last_view_;

 public:
  bool log_controller_ = false;  // the steps of group 0 are told too
  bool observes_late_ = false;   // the controller sees what was true one tick ago
};

}  // namespace cairn::cluster
