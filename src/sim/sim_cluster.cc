#include "sim/sim_cluster.h"

#include <algorithm>

#include "base/strings.h"

namespace cairn::sim {
namespace {

constexpr int64_t kLookEveryMs = 40;
// Small, so that logs roll, retention has something to delete and reads go to the disk.
constexpr int64_t kSegmentBytes = 128 << 10;
constexpr int64_t kSegmentMs = 20'000;
constexpr uint64_t kTailCacheBytes = 256 << 10;
constexpr int64_t kRetentionIntervalMs = 5'000;
constexpr cluster::MetadataLogOptions kMetadataLog = {.segment_bytes = 4 << 10,
                                                      .compact_every = 16};

std::vector<NodeId> Sorted(std::vector<NodeId> nodes) {
  std::sort(nodes.begin(), nodes.end());
  return nodes;
}

}  // namespace

SimCluster::SimCluster(World& world, size_t machines) : world_(world), history_(world) {
  for (size_t i = 0; i < machines; ++i) {
    Machine::Options options;
    options.name = base::StrCat("m", i);
    for (size_t other = 0; other < machines; ++other) {
      if (other != i) options.others.push_back(base::StrCat("m", other, ":7000"));
    }
    options.broker.data_dir = "/data";
    options.broker.default_settings.segment_bytes = kSegmentBytes;
    options.broker.default_settings.segment_ms = kSegmentMs;
    options.broker.default_partitions = 2;
    options.broker.tail_cache_bytes = kTailCacheBytes;
    options.broker.retention_interval_ms = kRetentionIntervalMs;
    options.metadata_log = kMetadataLog;
    options.founds = i == 0;
    machines_.push_back(std::make_unique<Machine>(world, std::move(options), world.dice.Next()));
  }
}

std::optional<size_t> SimCluster::AnyWorking() {
  std::vector<size_t> working;
  for (size_t i = 0; i < machines_.size(); ++i) {
    if (machines_[i]->works() && machines_[i]->node().id().value() != 0) working.push_back(i);
  }
  if (working.empty()) return std::nullopt;
  return working[world_.dice.Below(working.size())];
}

std::optional<size_t> SimCluster::MachineOf(NodeId node) const {
  for (size_t i = 0; i < machines_.size(); ++i) {
    if (machines_[i]->up() && machines_[i]->node().id() == node) return i;
  }
  return std::nullopt;
}

std::shared_ptr<const cluster::MetadataView> SimCluster::Metadata() const {
  std::shared_ptr<const cluster::MetadataView> newest;
  for (const auto& machine : machines_) {
    if (!machine->up()) continue;
    auto view = machine->node().metadata();
    if (newest == nullptr || view->applied > newest->applied) newest = std::move(view);
  }
  return newest;
}

void SimCluster::StartLooking() {
  LookAtAll();
  world_.After(kLookEveryMs, [this] { StartLooking(); });
}

void SimCluster::LookAtAll() {
  for (size_t i = 0; i < machines_.size(); ++i) history_.Look(*machines_[i], i);
}

// All members are there, and hold the configuration that is in force: whichever of them is lost,
// the others know who they are.
std::string SimCluster::UnsettledMembers(
    const consensus::Configuration& configuration,
    const std::function<std::shared_ptr<consensus::RaftReplica>(Machine&)>& replica_on) const {
  for (const consensus::Member& member : configuration.members()) {
    const auto number = MachineOf(member.node);
    if (!number) {
      return base::StrCat("node ", member.node.value(), " is still among its members ",
                          configuration.ToString());
    }
    const auto replica = replica_on(*machines_[*number]);
    const consensus::ReplicaStatus status =
        replica != nullptr ? replica->Status() : consensus::ReplicaStatus();
    if (status.configuration != configuration || !status.configuration_committed) {
      return base::StrCat(machines_[*number]->name(), " has the members ",
                          status.configuration.ToString(), " of ", configuration.ToString());
    }
  }
  return "";
}

std::string SimCluster::UnsettledController() const {
  for (const auto& machine : machines_) {
    const auto replica = machine->node().controller_replica();
    if (!replica->serves()) continue;
    return UnsettledMembers(replica->Status().configuration,
                            [](Machine& member) { return member.node().controller_replica(); });
  }
  return "nobody leads";
}

std::string SimCluster::Unsettled(bool with_placement) {
  for (const auto& machine : machines_) {
    if (!machine->works()) return machine->name() + " is not up";
    if (machine->node().controller_replica() == nullptr) {
      return machine->name() + " is not a member";
    }
  }
  const auto view = Metadata();
  if (view->metadata.topics.size() < least_topics_) return "the metadata are not known";
  for (const auto& machine : machines_) {
    if (machine->node().metadata()->applied != view->applied) {
      return machine->name() + " has old metadata";
    }
    const auto controller = machine->node().controller_replica();
    if (controller->log()->damaged()) {
      return machine->name() + " has not repaired the controller's log";
    }
    const consensus::ReplicaStatus status = controller->Status();
    if (!status.open || !history_.IsComplete(controller->group(), status.high_watermark)) {
      return base::StrCat(machine->name(), " has the controller's log up to ",
                          status.high_watermark.value(), " only, trouble: ", status.trouble);
    }
  }
  if (with_placement) {
    if (std::string why = UnsettledController(); !why.empty()) {
      return base::StrCat("the controller's group: ", why);
    }
  }
  for (const auto& [number, topic] : view->metadata.topics) {
    for (size_t i = 0; i < topic.partitions.size(); ++i) {
      std::string why = UnsettledPartition(view->metadata, topic, i, with_placement);
      if (!why.empty()) return base::StrCat(view->metadata.GroupText(topic.group(i)), ": ", why);
    }
  }
  return "";
}

std::string SimCluster::UnsettledPartition(const cluster::Metadata& metadata,
                                           const cluster::Topic& topic, size_t partition,
                                           bool with_placement) {
  const GroupId group = topic.group(partition);
  const cluster::PartitionInfo& info = topic.partitions[partition];
  std::optional<consensus::ReplicaStatus> leading;
  for (const auto& machine : machines_) {
    const auto hosted = machine->node().host().Find(group);
    if (hosted == nullptr || hosted->replica == nullptr || !hosted->replica->serves()) continue;
    leading = hosted->replica->Status();
  }
  if (!leading) return "nobody leads";
  for (const consensus::Member& member : leading->configuration.members()) {
    const auto number = MachineOf(member.node);
    if (!number) {
      if (with_placement) {
        return base::StrCat(metadata.NodeText(member.node), " is still among its members ",
                            leading->configuration.ToString(), ", led by node ",
                            leading->leader.value(), ", wanted ",
                            consensus::Configuration::OfVoters(Sorted(info.replicas)).ToString());
      }
      continue;
    }
    Machine& machine = *machines_[*number];
    const auto hosted = machine.node().host().Find(group);
    if (hosted == nullptr) return machine.name() + " has not opened it";
    if (hosted->damaged_log != nullptr) return machine.name() + " has not repaired its log";
    if (hosted->partition != nullptr && hosted->replica->log()->damaged()) {
      return machine.name() + " has not repaired its log, which it uses";
    }
    if (hosted->partition == nullptr) {
      return base::StrCat(machine.name(), " cannot open it: ", hosted->status.ToString());
    }
    if (!history_.IsComplete(group, hosted->partition->high_watermark())) {
      return base::StrCat(machine.name(), " has it up to ",
                          hosted->partition->high_watermark().value(),
                          " only, trouble: ", hosted->replica->Status().trouble);
    }
  }
  if (!with_placement) return "";
  if (static_cast<int32_t>(info.replicas.size()) < metadata.ReplicationFactor(topic)) {
    return base::StrCat("has ", info.replicas.size(), " replicas of ",
                        metadata.ReplicationFactor(topic));
  }
  const auto wanted = consensus::Configuration::OfVoters(Sorted(info.replicas));
  if (leading->configuration != wanted) {
    return base::StrCat("its members are ", leading->configuration.ToString(), ", wanted ",
                        wanted.ToString());
  }
  return UnsettledMembers(
      wanted, [group](Machine& member) { return member.node().host().Find(group)->replica; });
}

}  // namespace cairn::sim
