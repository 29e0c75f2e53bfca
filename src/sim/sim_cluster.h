// SimCluster: the machines of a simulation, and the history that they are measured by.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/node.h"
#include "sim/history.h"
#include "sim/machine.h"
#include "sim/world.h"

namespace cairn::sim {

class SimCluster {
 public:
  // `machines` of them, off. The first one founds the cluster.
  SimCluster(World& world, size_t machines);

  World& world() { return world_; }
  History& history() { return history_; }
  size_t size() const { return machines_.size(); }
  Machine& machine(size_t number) { return *machines_[number]; }

  // Of the machines that can be talked to; nullopt when there is none.
  std::optional<size_t> AnyWorking();
  // The machine whose node has this number.
  std::optional<size_t> MachineOf(NodeId node) const;
  // The newest metadata that any machine has.
  std::shared_ptr<const cluster::MetadataView> Metadata() const;

  // Starts looking at all replicas, every kLookEveryMs.
  void StartLooking();
  void LookAtAll();

  // Whether every node is up and a member, every partition has the replicas it should have, all of
  // them have all that is committed, and somebody leads each. Otherwise what is missing.
  std::string Unsettled(bool with_placement);
  // Metadata with fewer topics than this is known to be old.
  void SetLeastTopics(size_t topics) { least_topics_ = topics; }
  bool knows_topics() const { return Metadata()->metadata.topics.size() >= least_topics_; }

 private:
  std::string UnsettledMembers(
      const consensus::Configuration& configuration,
      const std::function<std::shared_ptr<consensus::RaftReplica>(Machine&)>& replica_on) const;
  std::string UnsettledController() const;
  std::string UnsettledPartition(const cluster::Metadata& metadata, const cluster::Topic& topic,
                                 size_t partition, bool with_placement);

  World& world_;
  History history_;
  size_t least_topics_ = 1;
  std::vector<std::unique_ptr<Machine>> machines_;
};

}  // namespace cairn::sim
