// What of a node's part in the cluster works, question by question.
#include <algorithm>

#include "base/status_macros.h"
#include "base/strings.h"
#include "cluster/node.h"

namespace cairn::cluster {
NodeHealth Node::Health() const {
  NodeHealth health{.member = CheckMember(), .logs = CheckLogs()};
  if (!health.member.ok()) {
    health.replicas = health.leaders = health.active =
        absl::UnavailableError("not known before the node is a member");
    return health;
  }
  const auto view = metadata();
  if (view->metadata.FindTopic(broker::kDefaultTopic) == nullptr) {
    health.replicas = absl::UnavailableError("the topic \"default\" is being made");
  }
  for (const auto& [number, topic] : view->metadata.topics) {
    for (size_t i = 0; i < topic.partitions.size(); ++i) {
      const auto& replicas = topic.partitions[i].replicas;
      if (std::find(replicas.begin(), replicas.end(), id()) == replicas.end()) continue;
      CheckReplica(view->metadata, topic.group(i), /*alone=*/replicas.size() == 1, health);
    }
  }
  const auto self = view->metadata.nodes.find(id());
  if (self != view->metadata.nodes.end() && self->second.state == NodeState::kDraining) {
    health.active = absl::UnavailableError("the node is being drained");
  }
  return health;
}

absl::Status Node::CheckMember() const {
  CAIRN_RETURN_IF_ERROR(CheckRunning());
  if (!member_ && controller_ != nullptr && controller_->damaged_log() != nullptr) {
    return absl::UnavailableError(
        "the log of the controller's group is damaged here, and being repaired from other nodes");
  }
  if (!member_) return absl::UnavailableError("the node has not joined its cluster yet");
  if (metadata()->metadata.cluster_id.is_nil()) {
    return absl::UnavailableError("the node waits for the cluster's metadata");
  }
  return absl::OkStatus();
}

// Each answer names the first partition that is at fault.
void Node::CheckReplica(const Metadata& metadata, GroupId group, bool alone,
                        NodeHealth& health) const {
  const auto fail = [&](absl::Status& status, std::string_view why) {
    if (status.ok()) {
      status = absl::UnavailableError(base::StrCat(metadata.GroupText(group), why));
    }
  };
  const auto hosted = host_->Find(group);
  if (hosted == nullptr) return fail(health.replicas, " is being opened");
  if (hosted->replica == nullptr) return;  // damaged: it will not come
  if (hosted->replica->leader().value() == 0) return fail(health.leaders, " has no leader");
  // A sole voter serves what it has as soon as it has begun its term.
  if (alone && !hosted->replica->serves()) fail(health.replicas, " is being started");
}

absl::Status Node::CheckLogs() const {
  size_t damaged = 0;
  std::string first;
  const auto all = host_->All();
  for (const auto& hosted : all) {
    if (hosted->status.ok() && !hosted->damaged()) continue;
    if (damaged++ == 0) {
      first = base::StrCat(hosted->spec.topic.name, "/", hosted->spec.partition.value());
    }
  }
  if (damaged == 0) return absl::OkStatus();
  return absl::DataLossError(base::StrCat(damaged, " of ", all.size(),
                                          " partitions here are damaged or closed: ", first,
                                          damaged > 1 ? " and others" : ""));
}

absl::Status Node::Readiness() const {
  const NodeHealth health = Health();
  CAIRN_RETURN_IF_ERROR(health.member);
  CAIRN_RETURN_IF_ERROR(health.replicas);
  return health.leaders;
}

}  // namespace cairn::cluster
