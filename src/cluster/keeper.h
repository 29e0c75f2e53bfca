// Keeper: what this node does for the groups it leads: brings their members and leaders to what the
// metadata wants, tells the controller how they are, and, when it is the controller itself, brings
// the metadata to what the cluster needs.
//
// Looks again every kTickMs, whatever happened or was missed meanwhile. Belongs to the controller's
// loop; looks at groups on their own loops.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "broker/replica_host.h"
#include "cluster/controller.h"
#include "cluster/group_report.h"
#include "cluster/next_step.h"
#include "cluster/observed.h"
#include "cluster/peer_methods.h"
#include "cluster/reconcile.h"
#include "consensus/peer_transport.h"
#include "env/clock.h"
#include "env/executor.h"

namespace cairn::cluster {

class Keeper : public std::enable_shared_from_this<Keeper> {
 public:
  // All of it outlives the keeper's Stop.
  struct Dependencies {
    env::Clock* clock;
    env::Executor* loop;
    broker::ReplicaHost* host;
    std::shared_ptr<Controller> controller;
    consensus::PeerTransport* transport;
    NodeId self;
    // Fills in what a command of the reconcile loop leaves open, and proposes it.
    std::function<void(Command, Controller::Done)> run;
    // What gossip says of the nodes; empty: there is no gossip.
    std::function<std::map<NodeId, GossipObservation>()> gossip;
    // Every second, for what is to be tried again.
    std::function<void()> tidy;
  };
  explicit Keeper(Dependencies dependencies) : dependencies_(std::move(dependencies)) {}

  void Start();
  void Stop();

  // A report of another node about the groups that it leads. On the loop.
  void TakeReport(NodeId from, GroupReport report);
  // Which logs a node, this one included, finds damaged. On the loop.
  void TakeDamage(NodeId from, const DamageReport& report);
  // A node is about to stop: it is given no lead before it has answered for long enough again. On
  // the loop.
  void TakeFarewell(NodeId from);
  // This node has begun to lead a group. On the loop.
  void OnLeading(GroupId group, Term term);
  // Something has changed that the reconcile loop should see with the next look, instead of within
  // a second. Cheap, however often it is called. On the loop.
  void Wake() { reconciled_ms_ = 0; }
  // Calls `done` when all groups led here have been looked at since this node became the
  // controller; at once when it is not. On the loop.
  void WhenLooked(absl::AnyInvocable<void()> done);
  // What the controller's reconcile loop waits for, as of the last round; empty elsewhere. On the
  // loop.
  const std::vector<Wait>& waits() const { return waits_; }
  const Observed& observed() const { return observed_; }

 private:
  // Nodes that answer, and since when.
  struct Reachability {
    std::map<NodeId, int64_t> since_ms;  // absent: does not answer
    std::map<GroupId, std::set<NodeId>> damaged;
    MemberView ViewOf(NodeId node, int64_t now_ms) const;
  };

  int64_t NowMs() const { return dependencies_.clock->MonotonicNs() / 1'000'000; }
  bool IsController() const;
  void ForgetDamage(int64_t now_ms);
  void Tick();
  void LookWhoAnswers(const Metadata& metadata, int64_t now_ms);
  void KeepPartitions(const std::shared_ptr<const MetadataView>& view, int64_t now_ms);
  void KeepController(const Metadata& metadata, int64_t now_ms);
  static GroupView Keep(consensus::RaftReplica& replica, const GroupTarget& target,
                        const Reachability& reachability, NodeId self, int64_t now_ms);
  void TakeViews(GroupReport views);
  void OnLooked();
  void SendReport();
  void Reconcile(const Metadata& metadata, int64_t now_ms);
  void AnnounceLeads(const Metadata& metadata, int64_t now_ms);

  Dependencies dependencies_;
  bool stopped_ = false;
  env::Executor::TimerId timer_ = 0;
  std::shared_ptr<const Reachability> reachability_ = std::make_shared<Reachability>();
  GroupReport views_;    // of the groups led here, as of the last look
  bool looked_ = false;  // as controller
  std::vector<absl::AnyInvocable<void()>> when_looked_;
  NodeId reported_to_;
  int64_t reported_ms_ = 0;
  int64_t reconciled_ms_ = 0;
  int64_t tidied_ms_ = 0;
  size_t commands_under_way_ = 0;
  bool was_controller_ = false;
  Observed observed_;
  struct DamageSaid {
    int64_t at_ms;
    DamageReport report;
  };
  std::map<NodeId, DamageSaid> damage_;
  std::vector<Wait> waits_;
  std::vector<LedGroup> led_;  // to be announced
  int64_t announced_ms_ = 0;
};

}  // namespace cairn::cluster
