// The half of Node that follows the metadata: peers, replicas, commands of the controller.
#include <algorithm>
#include <set>
#include <utility>

#include "base/error_info.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "cluster/group_id.h"
#include "cluster/keeper.h"
#include "cluster/node.h"
#include "cluster/placement.h"

namespace cairn::cluster {
namespace {

// A new group's preferred leader stands for election when the others have had time to open their
// replicas, and again for those that were slow.
constexpr int64_t kCampaignAfterMs[] = {30, 100, 300};
// How long the creation of a topic waits for its partitions to have leaders.
constexpr int64_t kServedPollNs = 5'000'000;
constexpr int kServedPolls = 600;
constexpr int64_t kMembersTimeoutNs = 5'000'000'000;

absl::Status TopicIsGone(std::string_view name) {
  return base::MakeError(absl::StatusCode::kNotFound,
                         base::StrCat("the topic \"", name, "\" was deleted"),
                         base::reason::kUnknownTopic, {{"topic", std::string(name)}});
}

// A replica that could not be opened for want of space, or because the disk failed, is tried again;
// damage and what is not understood stays.
bool IsWorthAnotherTry(const broker::HostedReplica& hosted) {
  return hosted.replica == nullptr && !absl::IsDataLoss(hosted.status) &&
         !absl::IsFailedPrecondition(hosted.status) && !absl::IsUnimplemented(hosted.status);
}

// Numbers are given in order: one that was given and is not there any more was deleted.
bool WasDeleted(const Metadata& metadata, GroupId group) {
  return TopicOf(group) < metadata.next_topic && metadata.FindTopic(TopicOf(group)) == nullptr;
}

}  // namespace

// ---- metadata ----

void Node::OnMetadata(const std::shared_ptr<const MetadataView>& view) {
  for (const auto& [node, info] : view->metadata.nodes) {
    if (node == id()) continue;
    if (info.is_member()) {
      transport_->SetPeer(node, info.description.rpc_address);
    } else {
      transport_->RemovePeer(node);
    }
  }
  const AccessPolicy& policy = view->metadata.access_policy;
  if (policy.version != 0 && dependencies_.on_access_policy) dependencies_.on_access_policy(policy);
  DescribeSelf(view->metadata);
  host_->admin().Post([this] { ArrangeReplicas(); });
}

// Tells the cluster when this node's address or version is not what the metadata says.
void Node::DescribeSelf(const Metadata& metadata) {
  const NodeInfo* self = metadata.FindNode(id());
  if (self == nullptr || described_ || stopping_) return;
  if (self->state == NodeState::kRemoved) {
    described_ = true;
    return Event(EventLevel::kError, "removed from the cluster",
                 {{"hint", "start with an empty data directory to join as a new node"}});
  }
  if (self->description == options_.description) return;
  described_ = true;
  UpdateNode update;
  update.node = id();
  update.name = options_.description.name;
  update.rpc_address = options_.description.rpc_address;
  update.rack = options_.description.rack;
  update.version = options_.description.version;
  if (self->description.gossip_address != options_.description.gossip_address) {
    update.gossip_address = options_.description.gossip_address;
  }
  loop().Post([this, update = std::move(update)]() mutable {
    RunCommand(std::move(update), [this](const absl::StatusOr<CommandResult>& result) {
      loop().Post([this, failed = !result.ok()] {
        if (!failed || stopping_) return void(described_ = false);
        // Tried again with the next change, or when there is a controller.
        loop().PostAfter(1'000'000'000, [this, alive = alive_] {
          if (!*alive) return;
          described_ = false;
          if (!stopping_) DescribeSelf(this->metadata()->metadata);
        });
      });
    });
  });
}

void Node::OnControllerLeader(NodeId leader) {
  Event(EventLevel::kInfo, "controller", {{"leader", base::StrCat(leader.value())}});
  if (leader != id()) return;
  // On the loop, but not from within the replica's call.
  loop().Post([this] {
    const auto view = metadata();
    if (!controller_->replica().is_leader()) return;
    const auto ignore = [](const absl::StatusOr<CommandResult>&, Offset) {};
    if (view->metadata.cluster_id.is_nil()) {
      InitCluster init;
      init.cluster_id = directory_->identity().cluster_id;
      init.node_uuid = directory_->identity().node_uuid;
      init.node = options_.description;
      init.time_ms = dependencies_.clock->WallMs();
      RunCommandHere(std::move(init), ignore);
    }
    if (view->metadata.next_topic == TopicNumber(1)) {
      cluster::CreateTopic topic;
      topic.name = std::string(broker::kDefaultTopic);
      topic.settings = options_.broker.default_settings;
      topic.partitions.resize(static_cast<size_t>(options_.broker.default_partitions));
      RunCommandHere(std::move(topic), ignore);
    }
  });
}

void Node::RunCommandHere(Command command, Controller::Done done) {
  if (absl::Status status = Complete(command); !status.ok()) {
    return done(std::move(status), Offset());
  }
  controller_->Propose(command, std::move(done));
}

absl::Status Node::Complete(Command& command) const {
  const Metadata& metadata = this->metadata()->metadata;
  const int64_t now = dependencies_.clock->WallMs();
  const auto answers = [this](NodeId node) {
    const auto& seen = keeper_->observed().nodes;
    const auto found = seen.find(node);
    return node == id() || (found != seen.end() && found->second.reachable);
  };
  if (auto* topic = std::get_if<cluster::CreateTopic>(&command)) {
    topic->time_ms = now;
    topic->id = base::Uuid::FromRandom(dependencies_.random->Next(), dependencies_.random->Next());
    std::set<NodeId> candidates;
    for (const auto& [node, info] : metadata.nodes) {
      if (info.state == NodeState::kActive && answers(node)) candidates.insert(node);
    }
    // The very first topic is made behind the command that makes the first node.
    if (metadata.cluster_id.is_nil()) {
      for (auto& replicas : topic->partitions) replicas = {id()};
      return absl::OkStatus();
    }
    CAIRN_ASSIGN_OR_RETURN(
        topic->partitions,
        PlaceTopic(metadata, candidates, static_cast<int32_t>(topic->partitions.size()),
                   topic->replication_factor));
  } else if (auto* node = std::get_if<RegisterNode>(&command)) {
    node->time_ms = now;
    const NodeInfo* holder = metadata.FindNodeByName(node->node.name);
    if (holder != nullptr && holder->uuid != node->uuid && !answers(holder->id)) {
      node->replaces = holder->id;
    }
  } else if (auto* state = std::get_if<SetNodeState>(&command)) {
    if (state->time_ms == 0) state->time_ms = now;
  } else if (auto* removal = std::get_if<RemoveNode>(&command)) {
    if (removal->time_ms == 0) removal->time_ms = now;
  } else if (auto* policy = std::get_if<SetAccessPolicy>(&command)) {
    policy->time_ms = now;
  }
  return absl::OkStatus();
}

// ---- replicas ----

void Node::AfterArranging(absl::AnyInvocable<void()> done) {
  // Behind the loop's task that tells of the metadata, and what that has posted.
  loop().Post([this, done = std::move(done)]() mutable { host_->admin().Post(std::move(done)); });
}

void Node::ArrangeReplicas() {
  const auto view = metadata();
  if (stopping_ || arranged_ == view) return;
  arranged_ = view;
  const Metadata& metadata = view->metadata;
  for (const GroupId group : std::set(unremoved_)) {
    RemoveReplica(group, absl::UnavailableError("the replica is being removed"));
  }
  for (const auto& hosted : host_->All()) {
    const GroupId group = hosted->spec.group;
    if (WasDeleted(metadata, group)) {
      RemoveDeleted(group, hosted->spec.topic.name, view->applied);
    } else if (IsWorthAnotherTry(*hosted)) {
      CloseReplica(group, hosted->status);
    }
  }
  for (const GroupId group : unopened_) {
    if (!WasDeleted(metadata, group)) continue;
    leaving_.erase(group);
    RemoveDeleted(group, "", view->applied);
  }
  std::erase_if(unopened_, [&](GroupId group) { return WasDeleted(metadata, group); });
  for (const auto& [number, topic] : metadata.topics) {
    for (size_t i = 0; i < topic.partitions.size(); ++i) ArrangeReplica(*view, topic, i);
    host_->ChangeSettings(ToTopicInfo(metadata, topic));
  }
}

void Node::ArrangeReplica(const MetadataView& view, const Topic& topic, size_t partition) {
  const PartitionInfo& info = topic.partitions[partition];
  const GroupId group = topic.group(partition);
  if (closing_.contains(group) || unremoved_.contains(group)) return;
  const bool wanted = Contains(info.replicas, id());
  if (wanted) leaving_.erase(group);
  // What this node gave its group until it was closed: the group may still count on it.
  const bool unopened = !leaving_.contains(group) && unopened_.erase(group) > 0;
  if (wanted || unopened) OpenReplica(view, topic, partition);
  const auto hosted = host_->Find(group);
  if (!wanted && (hosted != nullptr || leaving_.contains(group))) {
    to_arrange_ = true;
    Leave(group, info, view.applied);
  } else if (hosted != nullptr && IsWorthAnotherTry(*hosted)) {
    to_arrange_ = true;
  }
}

void Node::CloseReplica(GroupId group, const absl::Status& reason) {
  if (!closing_.insert(group).second) return;
  host_->Close(group, reason, /*remove=*/false, [this, group](const absl::Status&) {
    closing_.erase(group);
    unopened_.insert(group);
    to_arrange_ = true;
  });
}

void Node::RemoveReplica(GroupId group, const absl::Status& reason) {
  if (!closing_.insert(group).second) return;
  host_->Close(group, reason, /*remove=*/true, [this, group](const absl::Status& removed) {
    closing_.erase(group);
    to_arrange_ = true;
    if (removed.ok()) return void(unremoved_.erase(group));
    if (!unremoved_.insert(group).second) return;
    Event(EventLevel::kWarn, "replica not removed yet",
          {{"group", metadata()->metadata.GroupText(group)},
           {"error", std::string(removed.message())}});
  });
}

void Node::RemoveDeleted(GroupId group, const std::string& topic, Offset applied) {
  // A removal that is not known after a crash is done again then: the number is never reused.
  if (absl::Status raised = stable_->RaiseMetadataFloor(applied); !raised.ok()) {
    Event(EventLevel::kWarn, "the metadata floor was not stored",
          {{"error", std::string(raised.message())}});
  }
  leaders_.Forget(group);
  RemoveReplica(group, TopicIsGone(topic));
}

void Node::OpenReplica(const MetadataView& view, const Topic& topic, size_t partition) {
  const PartitionInfo& info = topic.partitions[partition];
  const GroupId group = topic.group(partition);
  if (host_->Find(group) != nullptr) return;
  const bool holds = host_->Holds(group);
  if (!holds) {
    // Metadata that is read again after a start may ask for what was given up since.
    const auto floor = stable_->MetadataFloor();
    if (!floor.ok() || view.applied < *floor) return;
  }
  broker::ReplicaSpec spec;
  spec.topic = ToTopicInfo(view.metadata, topic);
  spec.partition = PartitionOf(group);
  spec.group = group;
  if (Contains(info.founders, id())) {
    spec.founders = consensus::Configuration::OfVoters(info.initial);
  }
  host_->Open(spec, id());
  const auto hosted = host_->Find(group);
  if (holds || hosted == nullptr || hosted->replica == nullptr) return;
  if (info.replicas.front() != id() || spec.founders.empty()) return;
  for (const int64_t after_ms : kCampaignAfterMs) {
    hosted->loop->PostAfter(after_ms * 1'000'000,
                            [replica = hosted->replica] { replica->Campaign(); });
  }
}

// A replica that the metadata wants elsewhere stays until the group has let it go: the leader still
// counts on it. The group's leader says so; who is no member any more hears nothing by itself. It
// is asked twice: an open replica may be let in again, and promise, after it was let go. Then it is
// closed; what is heard from then on covers all that it ever promised.
void Node::Leave(GroupId group, const PartitionInfo& partition, Offset applied) {
  const auto found = leaving_.find(group);
  const uint64_t leaving = found == leaving_.end() ? 0 : found->second;
  for (const NodeId node : partition.replicas) {
    transport_->Call(
        node, static_cast<uint16_t>(PeerMethod::kMembers), EncodeGroup(group), kMembersTimeoutNs,
        [this, group, leaving, applied](const absl::StatusOr<std::string>& answer) {
          if (!answer.ok()) return;
          auto members = DecodeGroupMembers(*answer);
          if (!members.ok()) return;
          host_->admin().Post([this, group, leaving, applied, members = *std::move(members)] {
            if (!stopping_) OnMembers(group, leaving, members, applied);
          });
        });
  }
}

void Node::OnMembers(GroupId group, uint64_t leaving, const GroupMembers& members, Offset applied) {
  if (closing_.contains(group)) return;
  const auto* partition = metadata()->metadata.FindPartition(group);
  if (partition != nullptr && Contains(partition->replicas, id())) return;
  const auto found = leaving_.find(group);
  if ((found == leaving_.end() ? 0 : found->second) != leaving) return;  // an answer that came late
  if (members.configuration.Contains(id())) {
    leaving_.erase(group);
  } else if (leaving == 0) {
    if (host_->Find(group) == nullptr) return;
    leaving_[group] = next_leaving_++;
    CloseReplica(group, absl::UnavailableError("the replica was moved to another node"));
    // When one of them fails, the group is asked again.
  } else if (stable_->RaiseMetadataFloor(applied).ok() &&
             stable_->Depart(group, {members.term, members.committed}).ok()) {
    leaving_.erase(group);
    unopened_.erase(group);
    RemoveReplica(group, absl::UnavailableError("the replica was moved to another node"));
  }
}

void Node::OnGroupLeader(GroupId group, NodeId leader) {
  if (leader != id() || stopping_) return;
  const auto hosted = host_->Find(group);
  if (hosted == nullptr || hosted->replica == nullptr) return;
  leaders_.Note(group, leader, hosted->replica->published_term());
  loop().Post([keeper = keeper_, group, term = hosted->replica->published_term()] {
    keeper->OnLeading(group, term);
  });
}

void Node::OnGroupClosed(GroupId group, const absl::Status& why) {
  Event(EventLevel::kError, "replica closed, to be opened again",
        {{"group", metadata()->metadata.GroupText(group)}, {"error", std::string(why.message())}});
}

void Node::WhenServed(std::string topic, absl::AnyInvocable<void()> done) {
  loop().Post([this, topic = std::move(topic), done = std::move(done)]() mutable {
    PollServed(std::move(topic), kServedPolls, std::move(done));
  });
}

void Node::PollServed(std::string topic, int polls, absl::AnyInvocable<void()> done) {
  const auto view = metadata();
  const Topic* found = view->metadata.FindTopic(topic);
  bool served = true;
  for (size_t i = 0; found != nullptr && i < found->partitions.size(); ++i) {
    const GroupId group = found->group(i);
    const auto hosted = host_->Find(group);
    const bool leads =
        hosted != nullptr && hosted->replica != nullptr && hosted->replica->is_leader();
    served = served && LeaderOf(group).value() != 0 && (!leads || hosted->replica->serves());
  }
  if (served || polls == 0 || stopping_) return done();
  loop().PostAfter(kServedPollNs, [this, alive = alive_, topic = std::move(topic), polls,
                                   done = std::move(done)]() mutable {
    if (!*alive) return;  // the RPCs ended before the node
    PollServed(std::move(topic), polls - 1, std::move(done));
  });
}

}  // namespace cairn::cluster
