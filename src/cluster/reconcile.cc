#include "cluster/reconcile.h"

#include <algorithm>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "base/strings.h"
#include "cluster/controller_target.h"
#include "cluster/next_step.h"
#include "cluster/placement.h"

namespace cairn::cluster {
namespace {

std::vector<NodeId> Without(std::vector<NodeId> nodes, NodeId node) {
  std::erase(nodes, node);
  return nodes;
}

std::string Plural(size_t count, std::string_view thing) {
  return base::StrCat(count, " ", thing, count == 1 ? "" : "s");
}

class Reconciler {
 public:
  Reconciler(const Metadata& metadata, const Observed& observed, int64_t now_ms)
      : metadata_(metadata),
        observed_(observed),
        now_ms_(now_ms),
        usable_(UsableNodes()),
        placement_(metadata, usable_) {}

  ReconcilePlan Run() {
    CountMemberships();
    for (const auto& [id, node] : metadata_.nodes) CheckNode(node);
    CheckControllerGroup();
    CheckPartitions();
    if (plan_.commands.empty() && moving_ == 0) SpreadLeaders();
    for (const auto& [group, view] : observed_.groups) {
      if (group != kControllerGroup && metadata_.FindPartition(group) == nullptr) {
        Note(metadata_.GroupText(group), "its replicas are being deleted");
      }
    }
    if (unsaid_ > 0) plan_.waits.push_back({"cluster", Plural(unsaid_, "more wait")});
    return std::move(plan_);
  }

 private:
  // What a partition needs, the most urgent first.
  enum class Need { kReplaceDead, kGrow, kDrain, kShrink };
  struct Change {
    Need need;
    GroupId group;
    NodeId node;  // the replica that leaves; 0: one comes in addition
  };

  void Note(std::string about, std::string why) {
    if (plan_.waits.size() >= kMaxWaits) {
      ++unsaid_;
    } else {
      plan_.waits.push_back({std::move(about), std::move(why)});
    }
  }
  void NoteGroup(GroupId group, std::string why) {
    Note(metadata_.GroupText(group), std::move(why));
  }

  // ---- nodes ----

  bool IsReachable(NodeId node) const {
    const auto it = observed_.nodes.find(node);
    return it != observed_.nodes.end() && it->second.reachable;
  }
  int64_t SilentMs(NodeId node) const {
    const auto it = observed_.nodes.find(node);
    const int64_t heard = it == observed_.nodes.end() ? 0 : it->second.last_heard_ms;
    return now_ms_ - std::max(heard, observed_.since_ms);
  }
  // For operators: it decides nothing.
  std::string GossipSays(NodeId node) const {
    const auto it = observed_.nodes.find(node);
    if (it == observed_.nodes.end() || it->second.gossip.status == GossipStatus::kUnknown) {
      return "";
    }
    const GossipObservation& gossip = it->second.gossip;
    return base::StrCat(" (gossip says ", ToString(gossip.status), " since ",
                        std::max<int64_t>(0, now_ms_ - gossip.since_ms) / 1000, " s)");
  }
  // Nodes that may be given a replica.
  std::set<NodeId> UsableNodes() const {
    std::set<NodeId> nodes;
    for (const auto& [id, node] : metadata_.nodes) {
      if (node.state == NodeState::kActive && IsReachable(id)) nodes.insert(id);
    }
    return nodes;
  }
  bool MustGo(NodeId id) const {
    const NodeInfo* node = metadata_.FindNode(id);
    return node == nullptr || node->state != NodeState::kActive;
  }
  // When most nodes are silent at once, the network is cut and the nodes are probably well.
  bool MostAreSilent() const {
    size_t members = 0;
    size_t silent = 0;
    for (const auto& [id, node] : metadata_.nodes) {
      if (!node.holds_name()) continue;
      ++members;
      if (!IsReachable(id)) ++silent;
    }
    return silent * 2 > members;
  }

  void CountMemberships() {
    for (const auto& [group, view] : observed_.groups) {
      if (group != kControllerGroup && metadata_.FindPartition(group) == nullptr) continue;
      for (const consensus::Member& member : view.configuration.members()) {
        const bool counts =
            group != kControllerGroup || member.role == consensus::MemberRole::kVoter;
        if (counts) ++memberships_[member.node];
      }
    }
    for (const auto& [number, topic] : metadata_.topics) {
      for (size_t i = 0; i < topic.partitions.size(); ++i) {
        if (!observed_.groups.contains(topic.group(i))) ++unreported_;
      }
    }
  }

  void CheckNode(const NodeInfo& node) {
    const std::string text = metadata_.NodeText(node.id);
    switch (node.state) {
      case NodeState::kActive:
        if (!IsReachable(node.id)) CheckSilentNode(node, text);
        break;
      case NodeState::kDead:
        if (IsReachable(node.id)) WelcomeBack(node, text);
        break;
      case NodeState::kDraining:
        CheckDrainingNode(node, text);
        break;
      case NodeState::kRemoved:
        break;
    }
  }

  void CheckSilentNode(const NodeInfo& node, const std::string& text) {
    const int64_t silent_ms = SilentMs(node.id);
    const std::string silence =
        base::StrCat("has been silent for ", silent_ms / 1000, " s", GossipSays(node.id), "; ");
    if (silent_ms < metadata_.settings.grace_ms) {
      const auto replicas = static_cast<size_t>(metadata_.ReplicasOn(node.id));
      Note(text, base::StrCat(silence, "its ", Plural(replicas, "replica"),
                              replicas == 1 ? " is" : " are", " rebuilt elsewhere after ",
                              metadata_.settings.grace_ms / 1000, " s"));
    } else if (MostAreSilent()) {
      Note(text, silence +
                     "but so are most nodes, which looks like a cut network: nothing is moved "
                     "before more of them answer");
    } else {
      plan_.commands.push_back(SetNodeState{node.id, NodeState::kDead, observed_.wall_ms});
    }
  }

  void WelcomeBack(const NodeInfo& node, const std::string& text) {
    const NodeInfo* holder = metadata_.FindNodeByName(node.description.name);
    if (holder == nullptr) {
      plan_.commands.push_back(SetNodeState{node.id, NodeState::kActive, observed_.wall_ms});
    } else {
      Note(text, base::StrCat("is back, but node ", holder->id.value(),
                              " has its name now; start it with another --node-name"));
    }
  }

  void CheckDrainingNode(const NodeInfo& node, const std::string& text) {
    const int64_t replicas = metadata_.ReplicasOn(node.id);
    const auto it = memberships_.find(node.id);
    const size_t memberships = it == memberships_.end() ? 0 : it->second;
    if (replicas > 0) {
      Note(text, base::StrCat("is draining: ", Plural(static_cast<size_t>(replicas), "replica"),
                              " must find another place"));
    } else if (memberships > 0) {
      Note(text,
           base::StrCat("is draining: it is still a member of ", Plural(memberships, "group")));
    } else if (unreported_ > 0 || !observed_.groups.contains(kControllerGroup)) {
      Note(text, base::StrCat("is draining: it may still be a member of ",
                              Plural(unreported_, "partition"), " that nobody reports"));
    } else {
      plan_.commands.push_back(RemoveNode{node.id, observed_.wall_ms});
    }
  }

  // ---- groups ----

  // What is known now; nullptr: nothing that is fresh.
  const GroupView* ViewOf(GroupId group) const {
    const auto it = observed_.groups.find(group);
    if (it == observed_.groups.end()) return nullptr;
    const GroupView& view = it->second;
    const bool fresh = now_ms_ - view.reported_ms <= kReportFreshMs;
    return fresh && view.leader != NodeId() && !view.configuration.empty() ? &view : nullptr;
  }

  // "; N of its M replicas are damaged …", when that is why there is no leader.
  std::string TooManyDamaged(GroupId group, size_t replicas) const {
    const auto damaged = observed_.damaged.find(group);
    if (damaged == observed_.damaged.end()) return "";
    return base::StrCat("; the logs of ", damaged->second.size(), " of its ",
                        Plural(replicas, "replica"),
                        " are damaged, which do not vote: bring back healthy ones");
  }

  void NoteDamage(GroupId group) {
    const auto damaged = observed_.damaged.find(group);
    if (damaged == observed_.damaged.end()) return;
    for (const auto& [node, words] : damaged->second) {
      NoteGroup(group, base::StrCat("its replica on node ", node.value(), " is damaged: ", words));
    }
  }

  void CheckControllerGroup() {
    NoteDamage(kControllerGroup);
    const GroupView* view = ViewOf(kControllerGroup);
    if (view == nullptr) return;
    const StepPlan plan = NextStep(*view, ControllerTarget(metadata_, observed_));
    if (!plan.waits_for.empty()) NoteGroup(kControllerGroup, plan.waits_for);
  }

  void CheckPartitions() {
    for (const auto& [number, topic] : metadata_.topics) {
      for (size_t i = 0; i < topic.partitions.size(); ++i) {
        CheckPartition(topic, topic.group(i), topic.partitions[i]);
      }
    }
    std::stable_sort(changes_.begin(), changes_.end(),
                     [](const Change& a, const Change& b) { return a.need < b.need; });
    for (const Change& change : changes_) Decide(change);
    if (deferred_ > 0) {
      Note("cluster", base::StrCat(Plural(deferred_, "more partition"), " must change; at most ",
                                   kMaxMoves, " do at one time"));
    }
  }

  void CheckPartition(const Topic& topic, GroupId group, const PartitionInfo& partition) {
    NoteDamage(group);
    const GroupView* view = ViewOf(group);
    if (view == nullptr) {
      std::string silent;
      for (const NodeId node : partition.replicas) {
        if (!IsReachable(node)) silent += base::StrCat(" ", node.value());
      }
      return NoteGroup(
          group, base::StrCat("no leader has reported",
                              silent.empty() ? "" : "; of its replicas these are silent:", silent,
                              TooManyDamaged(group, partition.replicas.size())));
    }
    const GroupTarget target = TargetOf(partition);
    const StepPlan next = NextStep(*view, target);
    if (!next.waits_for.empty()) NoteGroup(group, next.waits_for);
    if (!IsSettled(view->configuration, target)) {
      if (IsUnderWay(partition, *view, next)) ++moving_;
      Redirect(group, partition, *view);
      return;
    }
    settled_.insert(group);
    // The silent first: while they vote, the group survives less.
    auto leaving = std::find_if(partition.replicas.begin(), partition.replicas.end(),
                                [&](NodeId node) { return MustGo(node) && !IsReachable(node); });
    if (leaving == partition.replicas.end()) {
      leaving = std::find_if(partition.replicas.begin(), partition.replicas.end(),
                             [&](NodeId node) { return MustGo(node); });
    }
    const auto size = static_cast<int32_t>(partition.replicas.size());
    const int32_t factor = metadata_.ReplicationFactor(topic);
    if (leaving != partition.replicas.end()) {
      const bool drains = metadata_.nodes.at(*leaving).state == NodeState::kDraining;
      changes_.push_back({drains ? Need::kDrain : Need::kReplaceDead, group, *leaving});
    } else if (size < factor) {
      changes_.push_back({Need::kGrow, group, NodeId()});
    } else if (size > factor) {
      changes_.push_back({Need::kShrink, group, LeastNeeded(partition, *view)});
    }
  }

  // The move goes on by itself. One that waits for a silent node takes no place of another that
  // could be made.
  bool IsUnderWay(const PartitionInfo& partition, const GroupView& view,
                  const StepPlan& next) const {
    if (next.step.has_value() || !view.may_change) return true;
    return std::any_of(partition.replicas.begin(), partition.replicas.end(), [&](NodeId node) {
      return !view.configuration.IsVoter(node) && IsReachable(node);
    });
  }

  void Decide(const Change& change) {
    const Topic& topic = metadata_.topics.at(TopicOf(change.group));
    const PartitionInfo& partition = *metadata_.FindPartition(change.group);
    if (moving_ >= kMaxMoves) {
      ++deferred_;
      return;
    }
    std::optional<std::vector<NodeId>> replicas;
    if (change.need == Need::kShrink) {
      replicas = Without(partition.replicas, change.node);
    } else if (change.need == Need::kGrow) {
      replicas = Grown(topic, change.group, partition);
    } else {
      replicas = Replaced(topic, change.group, partition, change.node);
    }
    if (!replicas.has_value()) return;
    ++moving_;
    Set(change.group, *std::move(replicas));
  }

  void Set(GroupId group, std::vector<NodeId> replicas) {
    plan_.commands.push_back(SetReplicas{TopicOf(group), PartitionOf(group), std::move(replicas)});
  }

  std::optional<std::vector<NodeId>> Grown(const Topic& topic, GroupId group,
                                           const PartitionInfo& partition) {
    const auto node = placement_.Choose(topic.number, partition.replicas, group.value());
    if (!node.has_value()) {
      NoteGroup(group, base::StrCat("has replication factor ", metadata_.ReplicationFactor(topic),
                                    " but the cluster has ", Plural(usable_.size(), "node"),
                                    " to hold it"));
      return std::nullopt;
    }
    auto replicas = partition.replicas;
    replicas.push_back(*node);
    return replicas;
  }

  // Another node in the place of `node`, or one replica less where that is enough.
  std::optional<std::vector<NodeId>> Replaced(const Topic& topic, GroupId group,
                                              const PartitionInfo& partition, NodeId node) {
    auto replicas = partition.replicas;
    const auto others = Without(partition.replicas, node);
    if (static_cast<int32_t>(others.size()) >= metadata_.ReplicationFactor(topic)) return others;
    const auto by = placement_.Choose(topic.number, others, group.value());
    if (by.has_value()) {
      std::replace(replicas.begin(), replicas.end(), node, *by);
      return replicas;
    }
    NoteGroup(group, base::StrCat("should leave ", metadata_.NodeText(node), ", which is ",
                                  ToString(metadata_.nodes.at(node).state),
                                  ", but there is no other node to hold its replica"));
    return std::nullopt;
  }

  // A move under way cannot end any more when a node it goes to must go itself and does not vote
  // yet, or votes and is silent: then too few may be alive to let the others go.
  void Redirect(GroupId group, const PartitionInfo& partition, const GroupView& view) {
    const Topic& topic = metadata_.topics.at(TopicOf(group));
    for (const NodeId node : partition.replicas) {
      const bool votes = view.configuration.IsVoter(node);
      if (!MustGo(node) || (votes && IsReachable(node))) continue;
      auto replicas = votes ? Kept(partition, node, view) : std::nullopt;
      if (!replicas.has_value()) replicas = Replaced(topic, group, partition, node);
      if (replicas.has_value()) Set(group, *std::move(replicas));
      return;
    }
  }

  // In the place of `node` a voter that was to go: nothing needs to be copied.
  std::optional<std::vector<NodeId>> Kept(const PartitionInfo& partition, NodeId node,
                                          const GroupView& view) const {
    for (const consensus::Member& member : view.configuration.members()) {
      const bool stays = member.role == consensus::MemberRole::kVoter &&
                         usable_.contains(member.node) &&
                         !Contains(partition.replicas, member.node);
      if (!stays) continue;
      auto replicas = partition.replicas;
      std::replace(replicas.begin(), replicas.end(), node, member.node);
      return replicas;
    }
    return std::nullopt;
  }

  // Of more replicas than wanted: a silent one, else that of the fullest node; not the leader.
  NodeId LeastNeeded(const PartitionInfo& partition, const GroupView& view) const {
    return *std::max_element(
        partition.replicas.begin(), partition.replicas.end(), [&](NodeId a, NodeId b) {
          const auto cost = [&](NodeId node) {
            return std::tuple(!IsReachable(node), node != view.leader,
                              node != partition.replicas.front(), metadata_.ReplicasOn(node));
          };
          return cost(a) < cost(b);
        });
  }

  // ---- leaders ----

  void SpreadLeaders() {
    std::vector<GroupId> groups;
    std::vector<std::vector<NodeId>> partitions;
    std::map<NodeId, int64_t> elsewhere;  // leaders of partitions that must not be touched
    for (const auto& [number, topic] : metadata_.topics) {
      for (size_t i = 0; i < topic.partitions.size(); ++i) {
        const auto& replicas = topic.partitions[i].replicas;
        if (!settled_.contains(topic.group(i))) {
          ++elsewhere[replicas.front()];
        } else {
          groups.push_back(topic.group(i));
          partitions.push_back(replicas);
        }
      }
    }
    for (const size_t i : BalanceLeaders(partitions, elsewhere, usable_, kMaxMoves)) {
      Set(groups[i], partitions[i]);
    }
  }

  const Metadata& metadata_;
  const Observed& observed_;
  const int64_t now_ms_;
  const std::set<NodeId> usable_;
  Placement placement_;
  ReconcilePlan plan_;
  std::map<NodeId, size_t> memberships_;  // in groups, but for standbys of group 0
  size_t unreported_ = 0;                 // partitions that nobody ever reported
  std::set<GroupId> settled_;             // reported, and as the metadata wants them
  std::vector<Change> changes_;
  size_t moving_ = 0;
  size_t deferred_ = 0;
  size_t unsaid_ = 0;
};

}  // namespace

std::string_view ToString(GossipStatus status) {
  switch (status) {
    case GossipStatus::kAlive:
      return "alive";
    case GossipStatus::kLeaving:
      return "leaving";
    case GossipStatus::kLeft:
      return "left";
    case GossipStatus::kFailed:
      return "failed";
    case GossipStatus::kUnknown:
      break;
  }
  return "unknown";
}

ReconcilePlan Reconcile(const Metadata& metadata, const Observed& observed, int64_t now_ms) {
  return Reconciler(metadata, observed, now_ms).Run();
}

}  // namespace cairn::cluster
