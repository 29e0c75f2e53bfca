// Node: one broker of a cluster: the composition of everything below the RPC layer.
//
//   ReplicaHost      the partition replicas here
//   Controller       this node's copy of the cluster's metadata, and group 0
//   PeerTransport    the way to the other nodes
//   Keeper           what the leaders of groups do: membership, placement, who leads
//   Joiner           how a node without a number gets one
//
// A node with an empty data directory and nobody to join forms a cluster of one; with addresses to
// join it asks there until it is let in. Afterwards it knows the others from the metadata.
//
// Threads: the public functions are thread-safe but for Accept.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "broker/broker.h"
#include "broker/data_directory.h"
#include "broker/replica_host.h"
#include "cluster/cluster_report.h"
#include "cluster/controller.h"
#include "cluster/leader_table.h"
#include "cluster/observed.h"
#include "cluster/peer_methods.h"
#include "consensus/peer_link.h"
#include "consensus/peer_transport.h"
#include "consensus/stable_store.h"
#include "env/key_value_store.h"
#include "telemetry/tracer.h"

namespace cairn::cluster {

// Of 1,000 partitions the metrics are 2 MB. A frame between nodes has more room; the calls of
// clients usually do not.
inline constexpr size_t kMaxInquiryAnswerBytes = 32u << 20;

class Joiner;
class Keeper;
class Repairer;

enum class EventLevel { kInfo, kWarn, kError };
// Something an operator wants to read: a name and fields.
using EventFields = std::vector<std::pair<std::string, std::string>>;
using EventSink = std::function<void(EventLevel, const std::string& event, const EventFields&)>;

struct NodeOptions {
  broker::BrokerOptions broker;
  broker::RaftTimeouts timeouts;
  MetadataLogOptions metadata_log;
  NodeDescription description;              // name, rpc_address, rack, version
  std::vector<std::string> join_addresses;  // empty: nobody to join
  // Form a cluster even though there are addresses to join, unless the directory is of one.
  bool bootstrap = false;
};

// What a client may want to know of a node of the cluster.
struct ServerView {
  NodeId node;
  std::string name;
  std::string rpc_address;
  NodeState state;
  bool leads_default = false;  // leads partition 0 of the topic `default`
  bool leads_controller = false;
};

// OK, or why not. What depends on the metadata is not known before the node is a member.
struct NodeHealth {
  absl::Status member;    // of a cluster whose metadata it has
  absl::Status replicas;  // those it should have here are open
  absl::Status leaders;   // their groups have leaders
  absl::Status active;    // it is not being drained
  absl::Status logs;      // none here is damaged, none closed after a fault
};

using InquiryDone = absl::AnyInvocable<void(absl::StatusOr<std::string>)>;

class Node final : public broker::Broker,
                   private consensus::PeerTransport::Handler,
                   private consensus::PeerLink {
 public:
  // All of it outlives the node.
  struct Dependencies {
    env::FileSystem* fs;
    env::Clock* clock;
    env::Random* random;
    std::vector<broker::ShardExecutors> shards;
    env::Executor* network;  // where the peers' connections live
    consensus::PeerDialer* dialer;
    // Opens the stable store in a directory that exists.
    std::function<absl::StatusOr<std::unique_ptr<env::KeyValueStore>>(const std::string&)>
        open_store;
    EventSink events;
    // Whom to ask to be let in, asked anew for each round; empty: NodeOptions::join_addresses. And
    // what gossip says of the nodes. Both thread-safe.
    std::function<std::vector<std::string>()> join_candidates = {};
    std::function<std::map<NodeId, GossipObservation>()> gossip = {};
    // The cluster's policy, if it has one: with each change of the metadata, on a shard's loop.
    std::function<void(const AccessPolicy&)> on_access_policy = {};
    telemetry::Tracer* tracer = nullptr;  // thread-safe; null: nothing is traced
    // What this node says of itself. Called on any thread, must not block; `done` is called once,
    // on any thread, at any time.
    std::function<void(Inquiry, InquiryDone done)> answer_inquiry = {};
  };

  // Opens (or creates) the data directory, recovers every replica on it, and begins to take part.
  // Blocking for the disk; waits for nobody. A damaged replica does not keep the others from
  // opening. Errors: FAILED_PRECONDITION when another process uses the directory, it holds foreign
  // files, or belongs to a node of another cluster; UNIMPLEMENTED for an unknown format version;
  // PERMISSION_DENIED; DATA_LOSS when the cluster's metadata here is damaged.
  static absl::StatusOr<std::unique_ptr<Node>> Open(Dependencies dependencies, NodeOptions options);
  // The two halves of it, for whoever has no thread to wait in: after an error of Start, Stop has
  // to be called, or the executors have to be rid of all that was posted to them.
  static absl::StatusOr<std::unique_ptr<Node>> New(Dependencies dependencies, NodeOptions options);
  absl::Status Start();
  ~Node() override;

  NodeHealth Health() const;
  // OK once the node is a member, and every partition it should serve is open and has a leader;
  // otherwise what it waits for.
  absl::Status Readiness() const;

  // Whether it needs nobody else to serve: it is the only voter of group 0. Blocking for the loop.
  bool StandsAlone() const;

  // This node's replica of group 0; nothing of it while the node is no member. Blocking for the
  // loop.
  consensus::ReplicaStatus ControllerStatus() const;

  // Has the reconcile loop look soon. Any thread; cheap, however often.
  void Wake();

  // A connection whose first byte is a peer's. On the network's executor.
  void Accept(std::unique_ptr<env::Connection> connection, std::string received) {
    transport_->Accept(std::move(connection), std::move(received));
  }

  // ---- broker::Broker ----
  void CreateTopic(std::string name, int32_t partition_count, int32_t replication_factor,
                   broker::TopicSettingsChange settings, TopicCallback done) override;
  void DeleteTopic(std::string name, DoneCallback done) override;
  void AlterTopic(std::string name, broker::TopicSettingsChange settings,
                  std::optional<int32_t> replication_factor, TopicCallback done) override;
  absl::StatusOr<broker::TopicInfo> DescribeTopic(std::string_view name) const override;
  std::vector<broker::TopicInfo> ListTopics() const override;
  absl::StatusOr<std::shared_ptr<broker::Partition>> FindPartition(
      std::string_view topic, PartitionId partition) const override;
  void AllocateProducerId(ProducerIdCallback done) override;
  broker::BrokerStats stats() const override { return host_->stats(); }
  void Stop() override;
  // Tells the others that this node goes, gives leadership away where another node can take it, and
  // waits a moment until it has: so that nobody waits for an election when the node stops.
  // Blocking. Stop does it once more, for what it leads by then.
  void HandOver();

  // ---- the cluster ----
  std::vector<ServerView> Servers() const;
  std::shared_ptr<const MetadataView> metadata() const { return controller_->view(); }
  NodeId id() const { return NodeId(self_.load()); }
  // Any command, carried out by the controller wherever it is; then `done` on some thread, once
  // this node has seen the outcome, too. Errors of Apply; UNAVAILABLE when there is no controller.
  using CommandDone = absl::AnyInvocable<void(absl::StatusOr<CommandResult>)>;
  void RunCommand(Command command, CommandDone done);
  // What the controller sees of the cluster. `done` runs on some thread. Errors: UNAVAILABLE with
  // NOT_LEADER when there is no controller; of the call to it.
  using ReportDone = absl::AnyInvocable<void(absl::StatusOr<ClusterReport>)>;
  void Report(ReportDone done);
  // Makes `to`, or another replica for 0, the one that should lead and leads. `done` runs on some
  // thread, with who leads. Errors: NOT_FOUND as FindPartition; FAILED_PRECONDITION with
  // NOT_A_REPLICA, or when `to` cannot lead; UNAVAILABLE with NOT_LEADER while nobody leads;
  // ABORTED when `to` did not take over.
  using LeaderDone = absl::AnyInvocable<void(absl::StatusOr<NodeId>)>;
  void TransferLeadership(std::string topic, PartitionId partition, NodeId to, LeaderDone done);
  // Asks a node about itself; 0: this one. `done` runs on some thread. Whoever calls has checked
  // that the caller may know: the node that is asked believes it. Errors: INVALID_ARGUMENT as
  // CheckInquiry; NOT_FOUND (UNKNOWN_NODE) naming those there are; UNAVAILABLE with
  // NODE_UNREACHABLE; RESOURCE_EXHAUSTED for an answer over kMaxInquiryAnswerBytes.
  void Ask(NodeId node, Inquiry inquiry, InquiryDone done);
  // The leader of a group as far as this node knows; 0: unknown.
  NodeId LeaderOf(GroupId group) const;
  std::string AddressOf(NodeId node) const;
  broker::ReplicaHost& host() { return *host_; }
  // This node's replica of group 0; null before the node is a member. On the loop.
  std::shared_ptr<consensus::RaftReplica> controller_replica() const {
    return controller_->shared_replica();
  }
  consensus::PeerCounters peer_counters() const { return transport_->counters(); }

  // For ClusterPartition: hands a batch to the group's leader on another node.
  void Forward(NodeId leader, GroupId group, log::Batch batch,
               std::optional<Offset> expected_offset,
               broker::Partition::ProduceCallback done) const;

 private:
  friend class NodePartition;

  Node(Dependencies dependencies, NodeOptions options);
  absl::Status StartMember(NodeId first_voter);
  void RunMember(std::unique_ptr<log::Log> log, consensus::CoreState state);
  // Until the others have repaired it, the node takes no part.
  void RepairController(std::shared_ptr<log::Log> log);
  void LookAtDamaged(std::shared_ptr<log::Log> log);
  void StartTransport();
  consensus::PeerIdentity Identity() const;
  env::Executor& loop() const { return *host_->executors(kControllerGroup).loop; }

  // On the controller's loop.
  void OnMetadata(const std::shared_ptr<const MetadataView>& view);
  void OnControllerLeader(NodeId leader);
  void RunCommandHere(Command command, Controller::Done done);
  // Fills in what only the controller can know: placement, time, ids. On the leader.
  absl::Status Complete(Command& command) const;

  // ---- damaged logs, in node_repair.cc; on the controller's loop ----
  std::shared_ptr<Repairer> MakeRepairer();
  std::vector<NodeId> SourcesOf(GroupId group) const;
  void ReportDamage(const DamageReport& report);
  void ReopenReplica(GroupId group);

  // ---- what operators ask, in node_status.cc ----
  absl::StatusOr<ClusterReport> ReportHere() const;  // on the controller's loop
  absl::Status NoController() const;
  void OnExplainRequest(consensus::PeerResponder responder);
  void AnswerInquiry(Inquiry inquiry, InquiryDone done);
  void OnInquiry(const std::string& payload, consensus::PeerResponder responder);
  absl::Status CheckMemberNode(NodeId node) const;
  NodeId OtherReplica(GroupId group, const std::vector<NodeId>& replicas) const;
  void TransferGroup(GroupId group, NodeId to, LeaderDone done);
  void TransferGroupHere(GroupId group, NodeId to, LeaderDone done);
  void OnTransferRequest(const std::string& payload, consensus::PeerResponder responder);

  // ---- how it does, in node_health.cc; any thread ----
  absl::Status CheckMember() const;
  void CheckReplica(const Metadata& metadata, GroupId group, bool alone, NodeHealth& health) const;
  absl::Status CheckLogs() const;

  // On the admin executor: opens, closes and removes replicas until they are what the metadata
  // says.
  void ArrangeReplicas();
  // Runs `done` on the admin executor when the replicas here are what the metadata says now.
  void AfterArranging(absl::AnyInvocable<void()> done);
  void ArrangeReplica(const MetadataView& view, const Topic& topic, size_t partition);
  void OpenReplica(const MetadataView& view, const Topic& topic, size_t partition);
  // Closes it, to be opened again.
  void CloseReplica(GroupId group, const absl::Status& reason);
  // Closes and removes it, again and again until the disk lets it.
  void RemoveReplica(GroupId group, const absl::Status& reason);
  void RemoveDeleted(GroupId group, const std::string& topic, Offset applied);
  // Removes a replica that the metadata wants elsewhere once its group has let it go.
  void Leave(GroupId group, const PartitionInfo& partition, Offset applied);
  void OnMembers(GroupId group, uint64_t leaving, const GroupMembers& members, Offset applied);
  // Calls `done` once every partition of the topic has a leader, or a while has passed.
  void WhenServed(std::string topic, absl::AnyInvocable<void()> done);
  void PollServed(std::string topic, int polls, absl::AnyInvocable<void()> done);
  void DescribeSelf(const Metadata& metadata);
  void OnGroupLeader(GroupId group, NodeId leader);
  void OnGroupClosed(GroupId group, const absl::Status& why);

  // ---- PeerTransport::Handler, on the network's executor ----
  absl::Status ValidatePeer(const consensus::PeerIdentity& peer,
                            consensus::PeerPurpose purpose) override;
  void OnMessage(NodeId from, GroupId group, consensus::Message message) override;
  void OnMessagesEnd() override { host_->DeliverGathered(); }
  void OnRequest(const consensus::PeerIdentity& from, uint16_t method, std::string payload,
                 consensus::PeerResponder responder) override;
  void OnPeerUp(const consensus::PeerIdentity& peer) override;
  void OnPeerDown(NodeId peer, const absl::Status& why) override;
  void OnRejected(consensus::PeerRejection kind, const std::string& address,
                  const absl::Status& why) override;
  void OnEntriesRequest(const std::string& payload, consensus::PeerResponder responder);
  void OnJoinRequest(const std::string& payload, consensus::PeerResponder responder);
  void OnProduceRequest(const std::string& payload, consensus::PeerResponder responder);

  // ---- PeerLink ----
  bool Send(NodeId to, GroupId group, const consensus::Message& message,
            consensus::Urgency urgency) override {
    return transport_->Send(to, group, message, urgency);
  }
  void NotifyWritable(NodeId to, absl::AnyInvocable<void()> ready) override {
    transport_->NotifyWritable(to, std::move(ready));
  }

  void SayFarewell();
  absl::Status CheckRunning() const;
  std::optional<int64_t> TakeProducerId();  // of the block that is here
  void Event(EventLevel level, const std::string& event, const EventFields& fields) const {
    if (dependencies_.events) dependencies_.events(level, event, fields);
  }

  const Dependencies dependencies_;
  const NodeOptions options_;
  std::atomic<int32_t> self_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> member_{false};  // group 0's replica runs

  std::unique_ptr<broker::DataDirectory> directory_;
  std::unique_ptr<env::KeyValueStore> store_;
  std::unique_ptr<consensus::StableStore> stable_;
  std::unique_ptr<broker::ReplicaHost> host_;
  std::shared_ptr<Controller> controller_;
  std::unique_ptr<consensus::PeerTransport> transport_;
  LeaderTable leaders_;
  std::shared_ptr<const MetadataView> arranged_;  // on the admin executor: the last to be followed
  // On the admin executor: the replicas that the disk holds and that were not opened since the
  // start, or since they were closed. The metadata may want them elsewhere, or may be too old to
  // know them.
  std::set<GroupId> unopened_;
  // On the admin executor: what is being closed or removed, and what the disk did not remove yet.
  // None of it is opened before that is over.
  std::set<GroupId> closing_;
  std::set<GroupId> unremoved_;
  // Of those in unopened_: closed to be removed, and given a number, with which the group is asked
  // whether it has let them go.
  std::map<GroupId, uint64_t> leaving_;
  uint64_t next_leaving_ = 1;
  // On the controller's loop: false once the node is stopped. Timers that know the node look first.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  bool described_ = false;  // on the controller's loop: telling our address is under way
  std::atomic<bool> to_arrange_{false};  // the replicas are not yet what the metadata says
  std::shared_ptr<Keeper> keeper_;
  std::shared_ptr<Repairer> repairer_;
  std::shared_ptr<Joiner> joiner_;

  base::Mutex producer_ids_mutex_;
  int64_t next_producer_id_ CAIRN_GUARDED_BY(producer_ids_mutex_) = 0;
  int64_t end_producer_id_ CAIRN_GUARDED_BY(producer_ids_mutex_) = 0;
};

}  // namespace cairn::cluster
