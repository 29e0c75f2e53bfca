// Node: start and stop, and what clients ask of it. What it arranges by itself is in
// node_arrange.cc, what peers ask in node_peers.cc.
#include "cluster/node.h"

#include <algorithm>
#include <future>
#include <utility>

#include "base/error_info.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "broker/wait_group.h"
#include "cluster/group_id.h"
#include "cluster/joiner.h"
#include "cluster/keeper.h"
#include "cluster/node_partition.h"
#include "cluster/peer_span.h"
#include "cluster/produce_codec.h"
#include "cluster/repairer.h"
#include "env/files.h"
#include "log/records.h"

namespace cairn::cluster {
namespace {

constexpr NodeId kFirstNode{1};
constexpr int64_t kCommandTimeoutNs = 15'000'000'000;
constexpr int64_t kProduceTimeoutNs = 30'000'000'000;
// How long a stop waits for others to know of it; only those that hang take so long.
constexpr int64_t kFarewellTimeoutNs = 200'000'000;
// Producer ids a node takes at once. What it has not given out when it stops is never used.
constexpr int64_t kProducerIdBlock = 1000;

// The metadata as they will be if all that stands in the log here is committed. Only good for
// addresses: after a restart of the whole cluster nobody knows what is committed before the nodes
// have met.
Metadata Foreseen(const MetadataView& view, const log::Log& log) {
  constexpr size_t kReadBytes = 1 << 20;
  Metadata metadata = view.metadata;
  const Offset end = log.end_offset();
  for (Offset at = std::max(view.applied, log.start_offset()); at < end;) {
    const auto entries = log.Read(at, end, kReadBytes);
    if (!entries.ok() || entries->empty()) break;
    for (const log::Entry& entry : *entries) {
      std::string scratch;
      const auto records = log::UncompressedRecords(entry, scratch);
      if (!records.ok()) return metadata;
      log::RecordsReader reader(*records, entry.header.base_timestamp_ms);
      log::RecordView record;
      for (Offset offset = entry.header.base_offset; reader.Next(record).value_or(false);
           ++offset) {
        if (offset < at) continue;
        const auto command = DecodeCommand(record.value.value_or(""));
        if (command.ok()) Apply(metadata, *command).status().IgnoreError();
      }
      at = entry.header.end_offset();
    }
  }
  return metadata;
}

// A node that has just started knows the topics of its last snapshot: it does not say of others
// that there are none, which would be final for the client.
absl::Status UnknownTopic(std::string_view name, bool informed) {
  if (!informed) return absl::UnavailableError("the node waits for the cluster's metadata");
  return base::MakeError(
      absl::StatusCode::kNotFound,
      base::StrCat("there is no topic \"", name, "\"; create it with: cairn topic create NAME"),
      base::reason::kUnknownTopic, {{"topic", std::string(name)}});
}

}  // namespace

absl::StatusOr<std::unique_ptr<Node>> Node::New(Dependencies dependencies, NodeOptions options) {
  if (dependencies.shards.empty()) return absl::InvalidArgumentError("a node needs a shard");
  CAIRN_RETURN_IF_ERROR(broker::ValidateTopicSettings(options.broker.default_settings));
  return std::unique_ptr<Node>(new Node(std::move(dependencies), std::move(options)));
}

absl::StatusOr<std::unique_ptr<Node>> Node::Open(Dependencies dependencies, NodeOptions options) {
  CAIRN_ASSIGN_OR_RETURN(auto node, New(std::move(dependencies), std::move(options)));
  if (const absl::Status started = node->Start(); !started.ok()) {
    node->Stop();
    return started;
  }
  return node;
}

Node::Node(Dependencies dependencies, NodeOptions options)
    : dependencies_(std::move(dependencies)), options_(std::move(options)) {}

// After a Stop nobody waits any more. In a simulated crash, which is the end of a process, whoever
// waits would keep what he waits for, and the other way round.
Node::~Node() {
  if (host_ != nullptr) host_->DropWaiting();
  if (controller_ != nullptr) controller_->DropWaiting();
}

consensus::PeerIdentity Node::Identity() const {
  const auto& identity = directory_->identity();
  return {.cluster = identity.cluster_id,
          .node_uuid = identity.node_uuid,
          .node = identity.node,
          .name = options_.description.name,
          .address = options_.description.rpc_address};
}

absl::Status Node::Start() {
  CAIRN_ASSIGN_OR_RETURN(directory_,
                         broker::DataDirectory::Open(*dependencies_.fs, *dependencies_.random,
                                                     options_.broker.data_dir));
  CAIRN_ASSIGN_OR_RETURN(store_, dependencies_.open_store(directory_->stable_path()));
  stable_ = std::make_unique<consensus::StableStore>(*store_, *dependencies_.shards.front().disk);
  host_ = std::make_unique<broker::ReplicaHost>(
      broker::ReplicaHost::Dependencies{
          .fs = dependencies_.fs,
          .clock = dependencies_.clock,
          .random = dependencies_.random,
          .shards = dependencies_.shards,
          .stable = stable_.get(),
          .peers = this,
          .on_leader = [this](GroupId group, NodeId leader) { OnGroupLeader(group, leader); },
          .on_closed = [this](GroupId group,
                              const absl::Status& why) { OnGroupClosed(group, why); },
          .tracer = dependencies_.tracer},
      options_.broker, options_.timeouts);
  CAIRN_ASSIGN_OR_RETURN(const std::vector<GroupId> loaded, host_->Load());
  unopened_ = {loaded.begin(), loaded.end()};
  controller_ = std::make_shared<Controller>(
      Controller::Dependencies{.fs = dependencies_.fs,
                               .clock = dependencies_.clock,
                               .loop = &loop(),
                               .data_dir = options_.broker.data_dir,
                               .log = options_.metadata_log},
      Controller::Listener{
          .on_metadata = [this](std::shared_ptr<const MetadataView> view) { OnMetadata(view); },
          .on_leader = [this](NodeId leader) { OnControllerLeader(leader); },
          .on_stuck =
              [this](const absl::Status& why) {
                Event(EventLevel::kError, "cluster metadata stuck",
                      {{"error", std::string(why.message())}});
              }});
  host_->StartRetention();

  const bool joined = directory_->identity().has_joined();
  const bool forms = !joined && (options_.bootstrap || options_.join_addresses.empty());
  if (forms) {
    const auto cluster =
        base::Uuid::FromRandom(dependencies_.random->Next(), dependencies_.random->Next());
    CAIRN_RETURN_IF_ERROR(directory_->Join(cluster, kFirstNode));
  }
  StartTransport();
  if (joined || forms) {
    return StartMember(directory_->identity().node == kFirstNode ? kFirstNode : NodeId());
  }
  joiner_ = std::make_shared<Joiner>(Joiner::Dependencies{
      .transport = transport_.get(),
      .executor = &host_->admin(),
      .random = dependencies_.random,
      .addresses = dependencies_.join_candidates
                       ? dependencies_.join_candidates
                       : [addresses = options_.join_addresses] { return addresses; },
      .request = {directory_->identity().node_uuid, options_.description},
      .joined =
          [this](const JoinResponse& response) {
            absl::Status status = directory_->Join(response.cluster_id, response.node);
            if (status.ok()) status = StartMember(NodeId());
            if (!status.ok()) {
              Event(EventLevel::kError, "joining failed, to be tried again",
                    {{"error", std::string(status.message())}});
              return status;
            }
            transport_->UpdateIdentity(Identity());
            Event(EventLevel::kInfo, "joined",
                  {{"cluster", response.cluster_id.ToString()},
                   {"node_id", base::StrCat(response.node.value())}});
            return absl::OkStatus();
          },
      .refused =
          [this](const std::string& address, const absl::Status& why) {
            Event(EventLevel::kWarn, "not joined yet",
                  {{"address", address}, {"error", std::string(why.message())}});
          }});
  joiner_->Start();
  return absl::OkStatus();
}

void Node::StartTransport() {
  transport_ = std::make_unique<consensus::PeerTransport>(
      consensus::PeerTransport::Dependencies{.loop = dependencies_.network,
                                             .clock = dependencies_.clock,
                                             .random = dependencies_.random,
                                             .dialer = dependencies_.dialer,
                                             .handler = this},
      consensus::PeerTransport::Options{.identity = Identity()});
}

// The node has a number: group 0 runs here.
absl::Status Node::StartMember(NodeId first_voter) {
  const auto& identity = directory_->identity();
  CAIRN_ASSIGN_OR_RETURN(auto opened,
                         controller_->Open(*stable_, identity.cluster_id, first_voter));
  self_ = identity.node.value();
  bool alone = true;
  const Metadata foreseen = Foreseen(*controller_->view(), *opened.log);
  for (const auto& [node, info] : foreseen.nodes) {
    if (node != identity.node && info.is_member()) {
      transport_->SetPeer(node, info.description.rpc_address);
      alone = false;
    }
  }
  if (opened.state.ok()) {
    RunMember(std::move(opened.log), *std::move(opened.state));
  } else if (alone) {
    return opened.state.status();
  } else {
    RepairController(std::move(opened.log));
  }
  return absl::OkStatus();
}

void Node::RunMember(std::unique_ptr<log::Log> log, consensus::CoreState state) {
  const broker::ShardExecutors& shard = host_->executors(kControllerGroup);
  auto replica = std::make_shared<consensus::RaftReplica>(
      consensus::RaftReplica::Dependencies{
          .fs = dependencies_.fs,
          .clock = dependencies_.clock,
          .random = dependencies_.random,
          .loop = shard.loop,
          .reader = shard.reader != nullptr ? shard.reader : shard.disk,
          .group_commit = &host_->group_commit(kControllerGroup),
          .stable = stable_.get(),
          .peers = this,
          .counters = &host_->counters().raft,
          .on_closed = [this](GroupId group,
                              const absl::Status& why) { OnGroupClosed(group, why); }},
      consensus::RaftReplica::Options{.group = kControllerGroup,
                                      .self = id(),
                                      .election_timeout_ms = options_.timeouts.election_ms,
                                      .heartbeat_ms = options_.timeouts.heartbeat_ms},
      std::move(log), std::move(state), *controller_);
  controller_->SetReplica(replica);
  keeper_ = std::make_shared<Keeper>(Keeper::Dependencies{
      .clock = dependencies_.clock,
      .loop = &loop(),
      .host = host_.get(),
      .controller = controller_,
      .transport = transport_.get(),
      .self = id(),
      .run = [this](Command command,
                    Controller::Done done) { RunCommandHere(std::move(command), std::move(done)); },
      .gossip = dependencies_.gossip,
      .tidy =
          [this] {
            repairer_->Look();
            if (!to_arrange_.exchange(false)) return;
            host_->admin().Post([this] {
              arranged_.reset();
              ArrangeReplicas();
            });
          }});
  if (repairer_ == nullptr) repairer_ = MakeRepairer();
  // What the last run knew: the peers, and the replicas that are here.
  const auto view = controller_->view();
  loop().Post([this, view, replica] {
    OnMetadata(view);
    replica->Start();
  });
  keeper_->Start();
  member_ = true;
}

absl::Status Node::CheckRunning() const {
  if (!stopping_) return absl::OkStatus();
  return base::MakeError(absl::StatusCode::kUnavailable, "the broker is shutting down",
                         base::reason::kShuttingDown);
}

void Node::Wake() {
  if (!member_ || stopping_) return;
  loop().Post([this, alive = alive_] {
    if (*alive) keeper_->Wake();
  });
}

bool Node::StandsAlone() const {
  return member_ && ControllerStatus().configuration.IsSoleVoter(id());
}

consensus::ReplicaStatus Node::ControllerStatus() const {
  if (!member_) return {};
  std::promise<consensus::ReplicaStatus> status;
  loop().Post([this, &status] { status.set_value(controller_->replica().Status()); });
  return status.get_future().get();
}

// Without it, whoever takes over would give the lead back to a preferred leader that is still
// there.
void Node::SayFarewell() {
  const auto view = metadata();
  broker::WaitGroup unanswered(0);
  for (const auto& [node, info] : view->metadata.nodes) {
    if (node == id() || !info.is_member()) continue;
    unanswered.Add(1);
    transport_->Call(node, static_cast<uint16_t>(PeerMethod::kFarewell), "", kFarewellTimeoutNs,
                     [&unanswered](const absl::StatusOr<std::string>&) { unanswered.Arrive(); });
  }
  unanswered.Wait();
}

void Node::HandOver() {
  if (host_ == nullptr) return;
  if (member_) SayFarewell();
  host_->HandOver();
  if (member_ && controller_->replica().is_leader()) {
    loop().Post([this] { controller_->replica().Transfer(NodeId()).IgnoreError(); });
  }
}

void Node::Stop() {
  if (stopping_.exchange(true)) return;
  if (host_ == nullptr) return;
  const absl::Status reason = CheckRunning();
  broker::WaitGroup running(1);
  // Nothing new begins: behind this, neither joiner nor keeper does anything more.
  host_->admin().Post([&] {
    if (joiner_ != nullptr) joiner_->Stop();
    loop().Post([&] {
      if (keeper_ != nullptr) keeper_->Stop();
      if (repairer_ != nullptr) repairer_->Stop();
      *alive_ = false;
      running.Arrive();
    });
  });
  running.Wait();
  HandOver();
  host_->Stop(reason);
  if (member_) {
    running.Add(1);
    loop().Post(
        [&] { controller_->replica().Stop([&](const absl::Status&) { running.Arrive(); }); });
    running.Wait();
  }
  running.Add(1);
  if (transport_ != nullptr) {
    transport_->Stop([&] { running.Arrive(); });
    running.Wait();
  }
  host_->Drain();
}

// ---- broker::Broker ----

absl::StatusOr<broker::TopicInfo> Node::DescribeTopic(std::string_view name) const {
  const auto view = metadata();
  const Topic* topic = view->metadata.FindTopic(name);
  if (topic == nullptr) return UnknownTopic(name, controller_->informed());
  return ToTopicInfo(view->metadata, *topic);
}

std::vector<broker::TopicInfo> Node::ListTopics() const {
  const auto view = metadata();
  std::vector<broker::TopicInfo> topics;
  for (const auto& [name, number] : view->metadata.topic_names) {
    topics.push_back(ToTopicInfo(view->metadata, view->metadata.topics.at(number)));
  }
  return topics;
}

absl::StatusOr<std::shared_ptr<broker::Partition>> Node::FindPartition(
    std::string_view name, PartitionId partition) const {
  CAIRN_RETURN_IF_ERROR(CheckRunning());
  const auto view = metadata();
  const Topic* topic = view->metadata.FindTopic(name);
  if (topic == nullptr) return UnknownTopic(name, controller_->informed());
  const auto count = static_cast<int32_t>(topic->partitions.size());
  if (partition < PartitionId(0) || partition >= PartitionId(count)) {
    return base::MakeError(absl::StatusCode::kNotFound,
                           base::StrCat("topic \"", name, "\" has partitions 0 to ", count - 1,
                                        ", not ", partition.value()),
                           base::reason::kUnknownPartition,
                           {{"partition_count", base::StrCat(count)}});
  }
  return std::make_shared<NodePartition>(const_cast<Node&>(*this),
                                         base::StrCat(name, "/", partition.value()),
                                         topic->group(static_cast<size_t>(partition.value())));
}

void Node::CreateTopic(std::string name, int32_t partition_count, int32_t replication_factor,
                       broker::TopicSettingsChange settings, TopicCallback done) {
  const int32_t partitions =
      partition_count == 0 ? options_.broker.default_partitions : partition_count;
  if (partitions < 1 || partitions > broker::kMaxPartitionsPerTopic) {
    return done(
        absl::InvalidArgumentError(base::StrCat("a topic has 1 to ", broker::kMaxPartitionsPerTopic,
                                                " partitions, not ", partition_count)));
  }
  cluster::CreateTopic command;
  command.name = name;
  command.replication_factor = replication_factor;
  command.settings = broker::Apply(options_.broker.default_settings, settings);
  command.partitions.resize(static_cast<size_t>(partitions));
  RunCommand(std::move(command), [this, name, done = std::move(done)](
                                     absl::StatusOr<CommandResult> result) mutable {
    if (!result.ok()) return done(result.status());
    WhenServed(name, [this, name, done = std::move(done)]() mutable { done(DescribeTopic(name)); });
  });
}

void Node::AlterTopic(std::string name, broker::TopicSettingsChange settings,
                      std::optional<int32_t> replication_factor, TopicCallback done) {
  cluster::AlterTopic command;
  command.name = name;
  command.settings = settings;
  command.replication_factor = replication_factor;
  RunCommand(std::move(command), [this, name, done = std::move(done)](
                                     const absl::StatusOr<CommandResult>& result) mutable {
    AfterArranging([this, name, status = result.status(), done = std::move(done)]() mutable {
      if (!status.ok()) return done(std::move(status));
      done(DescribeTopic(name));
    });
  });
}

void Node::DeleteTopic(std::string name, DoneCallback done) {
  cluster::DeleteTopic command;
  command.name = std::move(name);
  RunCommand(std::move(command),
             [this, done = std::move(done)](const absl::StatusOr<CommandResult>& result) mutable {
               AfterArranging([status = result.status(), done = std::move(done)]() mutable {
                 done(std::move(status));
               });
             });
}

void Node::AllocateProducerId(ProducerIdCallback done) {
  if (absl::Status status = CheckRunning(); !status.ok()) return done(std::move(status));
  if (const auto id = TakeProducerId()) return done(*id);
  RunCommand(AllocateProducerIds{.count = kProducerIdBlock},
             [this, done = std::move(done)](absl::StatusOr<CommandResult> block) mutable {
               if (!block.ok()) return done(block.status());
               {
                 // Another call may have brought a block, too: this one is then used first.
                 base::MutexLock lock(producer_ids_mutex_);
                 next_producer_id_ = block->producer_ids;
                 end_producer_id_ = block->producer_ids + kProducerIdBlock;
               }
               done(*TakeProducerId());
             });
}

std::optional<int64_t> Node::TakeProducerId() {
  base::MutexLock lock(producer_ids_mutex_);
  if (next_producer_id_ == end_producer_id_) return std::nullopt;
  return next_producer_id_++;
}

// ---- the cluster ----

NodeId Node::LeaderOf(GroupId group) const {
  if (group == kControllerGroup) {
    return member_ ? controller_->replica().leader() : NodeId();
  }
  const auto hosted = host_->Find(group);
  if (hosted != nullptr && hosted->replica != nullptr) {
    const NodeId leader = hosted->replica->leader();
    if (leader.value() != 0) return leader;
  }
  return leaders_.Find(group);
}

std::string Node::AddressOf(NodeId node) const {
  const auto view = metadata();
  const NodeInfo* info = view->metadata.FindNode(node);
  return info == nullptr ? "" : info->description.rpc_address;
}

std::vector<ServerView> Node::Servers() const {
  const auto view = metadata();
  NodeId leader;
  if (const Topic* topic = view->metadata.FindTopic(broker::kDefaultTopic)) {
    leader = LeaderOf(topic->group(0));
  }
  const NodeId controller = LeaderOf(kControllerGroup);
  std::vector<ServerView> servers;
  for (const auto& [id, node] : view->metadata.nodes) {
    if (!node.is_member()) continue;
    servers.push_back({.node = id,
                       .name = node.description.name,
                       .rpc_address = node.description.rpc_address,
                       .state = node.state,
                       .leads_default = id == leader,
                       .leads_controller = id == controller});
  }
  return servers;
}

void Node::RunCommand(Command command, CommandDone done) {
  if (absl::Status status = CheckRunning(); !status.ok()) return done(std::move(status));
  if (!member_) return done(Readiness());
  loop().Post([this, command = std::move(command), done = std::move(done)]() mutable {
    if (controller_->replica().is_leader()) {
      return RunCommandHere(std::move(command),
                            [done = std::move(done)](absl::StatusOr<CommandResult> result,
                                                     Offset) mutable { done(std::move(result)); });
    }
    const NodeId leader = controller_->replica().leader();
    if (leader.value() == 0) {
      return done(NoController());
    }
    transport_->Call(
        leader, static_cast<uint16_t>(PeerMethod::kCommand), Encode(command), kCommandTimeoutNs,
        [this, done = std::move(done)](absl::StatusOr<std::string> answer) mutable {
          const auto response =
              answer.ok() ? DecodeCommandResponse(*answer)
                          : absl::StatusOr<CommandResponse>(AsNoController(answer.status()));
          if (!response.ok()) return done(response.status());
          // Whoever asked here next is to see what was done.
          controller_->WhenApplied(
              response->applied,
              [done = std::move(done), result = response->result]() mutable { done(result); });
        });
  });
}

void Node::Forward(NodeId leader, GroupId group, log::Batch batch,
                   std::optional<Offset> expected_offset,
                   broker::Partition::ProduceCallback done) const {
  PeerSpan span(dependencies_.tracer, *dependencies_.clock, telemetry::SpanKind::kClient,
                batch.trace);
  batch.trace = span.context();
  transport_->Call(leader, static_cast<uint16_t>(PeerMethod::kProduce),
                   Encode(ForwardedProduce{group, expected_offset, std::move(batch)}),
                   kProduceTimeoutNs,
                   [loop = host_->executors(group).loop, leader, span,
                    done = std::move(done)](absl::StatusOr<std::string> answer) mutable {
                     span.End(answer.status(), leader);
                     // On the shard's thread, as if it had been answered here.
                     loop->Post([answer = std::move(answer), done = std::move(done)]() mutable {
                       if (!answer.ok()) return done(answer.status());
                       done(DecodeProduceResult(*answer));
                     });
                   });
}

}  // namespace cairn::cluster
