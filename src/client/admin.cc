#include "cairn/admin.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "base/error_info.h"
#include "base/status_macros.h"
#include "cairn/v1/admin.grpc.pb.h"
#include "client/client_impl.h"

namespace cairn {
namespace {

// How often the leader of a partition is asked for before a replica's word is taken, and how often
// without a pause.
constexpr int kLeaderTries = 12;
constexpr int kQuickTries = 2;

using client::BackOff;
using client::Broker;
using client::IsTransient;
using Stub = v1::Admin::Stub;

template <typename Request, typename Response>
using AdminMethod = grpc::Status (Stub::*)(grpc::ClientContext*, const Request&, Response*);

// The broker answers; one that it was to ask does not, and the caller wants to know just that.
bool IsAboutAnotherNode(const absl::Status& status) {
  const auto info = base::GetErrorInfo(status);
  return info && info->reason == base::reason::kNodeUnreachable;
}

// The call, to one broker.
template <typename Request, typename Response>
absl::StatusOr<Response> CallBroker(const Client::Impl& client, const Broker& broker,
                                    AdminMethod<Request, Response> method, const Request& request,
                                    std::chrono::system_clock::time_point deadline) {
  Stub stub(broker.channel);
  grpc::ClientContext context;
  context.set_deadline(deadline);
  Response response;
  const absl::Status status = client.Translate((stub.*method)(&context, request, &response));
  if (!status.ok()) {
    if (IsTransient(status) && !IsAboutAnotherNode(status))
      client.brokers().Failed(broker.address, "", -1, status);
    return status;
  }
  client.brokers().Worked(broker.address);
  return response;
}

// The call, to one broker after the other until one answers. When none can be reached that is the
// error; when they answer but cannot help now (there is no controller), they are asked again until
// the client's timeout. A call that was broken off may have had its effect.
template <typename Request, typename Response>
absl::StatusOr<Response> Call(const Client::Impl& client, AdminMethod<Request, Response> method,
                              const Request& request) {
  const auto deadline =
      std::chrono::system_clock::now() + std::chrono::milliseconds(client.options().timeout_ms);
  std::set<std::string> away;
  for (int attempt = 0;; ++attempt) {
    const Broker broker = client.brokers().Any();
    auto response = CallBroker(client, broker, method, request, deadline);
    if (response.ok() || response.status().code() != absl::StatusCode::kUnavailable) {
      return response;
    }
    if (IsAboutAnotherNode(response.status())) return response;
    if (!base::GetErrorInfo(response.status())) {
      away.insert(broker.address);
      if (away.size() >= client.brokers().count()) return response;
      if (std::chrono::system_clock::now() >= deadline) return response;
      continue;
    }
    away.clear();
    const auto pause = BackOff(attempt);
    if (std::chrono::system_clock::now() + pause >= deadline) return response;
    std::this_thread::sleep_for(pause);
  }
}

void ToProto(const TopicSettings& from, v1::TopicSettings& to) {
  if (from.retention_bytes) to.set_retention_bytes(*from.retention_bytes);
  if (from.retention_ms) to.set_retention_ms(*from.retention_ms);
  if (from.segment_bytes) to.set_segment_bytes(*from.segment_bytes);
  if (from.segment_ms) to.set_segment_ms(*from.segment_ms);
  if (from.max_record_bytes) to.set_max_record_bytes(*from.max_record_bytes);
  if (from.max_batch_bytes) to.set_max_batch_bytes(*from.max_batch_bytes);
}

TopicInfo FromProto(const v1::Topic& from) {
  TopicInfo topic{.name = from.name(),
                  .id = from.id(),
                  .partition_count = from.partition_count(),
                  .replication_factor = from.replication_factor(),
                  .settings = {},
                  .created_ms = from.created_ms(),
                  .partitions = {}};
  const v1::TopicSettings& settings = from.settings();
  if (settings.has_retention_bytes()) topic.settings.retention_bytes = settings.retention_bytes();
  if (settings.has_retention_ms()) topic.settings.retention_ms = settings.retention_ms();
  if (settings.has_segment_bytes()) topic.settings.segment_bytes = settings.segment_bytes();
  if (settings.has_segment_ms()) topic.settings.segment_ms = settings.segment_ms();
  if (settings.has_max_record_bytes())
    topic.settings.max_record_bytes = settings.max_record_bytes();
  if (settings.has_max_batch_bytes()) topic.settings.max_batch_bytes = settings.max_batch_bytes();
  for (const v1::Partition& partition : from.partitions()) {
    topic.partitions.push_back(
        {.partition = partition.partition(),
         .log_start = partition.log_start(),
         .high_watermark = partition.high_watermark(),
         .error = partition.error(),
         .leader = partition.leader(),
         .replicas = {partition.replicas().begin(), partition.replicas().end()}});
  }
  return topic;
}

}  // namespace

Admin::Admin(std::shared_ptr<Client> client) : client_(std::move(client)) {}

absl::StatusOr<TopicInfo> Admin::CreateTopic(const NewTopic& topic) {
  v1::CreateTopicRequest request;
  request.set_name(topic.name);
  request.set_partition_count(topic.partition_count);
  request.set_replication_factor(topic.replication_factor);
  ToProto(topic.settings, *request.mutable_settings());
  CAIRN_ASSIGN_OR_RETURN(const auto response, Call(client_->impl(), &Stub::CreateTopic, request));
  return FromProto(response.topic());
}

absl::StatusOr<std::vector<TopicInfo>> Admin::ListTopics() {
  CAIRN_ASSIGN_OR_RETURN(const auto response,
                         Call(client_->impl(), &Stub::ListTopics, v1::ListTopicsRequest()));
  std::vector<TopicInfo> topics;
  topics.reserve(static_cast<size_t>(response.topics_size()));
  for (const v1::Topic& topic : response.topics()) topics.push_back(FromProto(topic));
  return topics;
}

absl::StatusOr<TopicInfo> Admin::DescribeTopic(const std::string& name) {
  v1::DescribeTopicRequest request;
  request.set_name(name);
  CAIRN_ASSIGN_OR_RETURN(const auto response, Call(client_->impl(), &Stub::DescribeTopic, request));
  client_->impl().brokers().Learn(name, response);
  return FromProto(response.topic());
}

absl::StatusOr<TopicInfo> Admin::AlterTopic(const std::string& name, const TopicSettings& change,
                                            std::optional<int32_t> replication_factor) {
  v1::AlterTopicRequest request;
  request.set_name(name);
  ToProto(change, *request.mutable_settings());
  if (replication_factor) request.set_replication_factor(*replication_factor);
  CAIRN_ASSIGN_OR_RETURN(const auto response, Call(client_->impl(), &Stub::AlterTopic, request));
  return FromProto(response.topic());
}

absl::Status Admin::DeleteTopic(const std::string& name) {
  v1::DeleteTopicRequest request;
  request.set_name(name);
  return Call(client_->impl(), &Stub::DeleteTopic, request).status();
}

absl::StatusOr<client::ProducerIdentity> client::AllocateProducerId(const Client::Impl& client,
                                                                    const std::string& topic) {
  v1::AllocateProducerIdRequest request;
  request.set_topic(topic);
  CAIRN_ASSIGN_OR_RETURN(const auto response, Call(client, &Stub::AllocateProducerId, request));
  return ProducerIdentity{.id = response.producer_id(), .epoch = response.epoch()};
}

absl::StatusOr<client::LogRange> client::DescribeRange(const Client::Impl& client,
                                                       const std::string& topic,
                                                       int32_t partition) {
  v1::DescribeTopicRequest request;
  request.set_name(topic);
  const auto deadline =
      std::chrono::system_clock::now() + std::chrono::milliseconds(client.options().timeout_ms);
  for (int attempt = 0;; ++attempt) {
    const Broker broker = client.brokers().Replica(topic, partition);
    const Broker best = client.brokers().KnownLeader(topic, partition).value_or(broker);
    const auto response = CallBroker(client, best, &Stub::DescribeTopic, request, deadline);
    absl::Status error = response.status();
    if (response.ok()) {
      client.brokers().Learn(topic, *response);
      if (partition < 0 || partition >= response->topic().partitions_size()) {
        return absl::InternalError("the broker described a topic without its partitions");
      }
      const v1::Partition& row = response->topic().partitions(partition);
      // Brokers that say nothing of leaders are their cluster.
      const bool leads = row.leader() == response->node();
      // A leader that is known and does not answer is waited for a little, then done without.
      if (row.error().empty() && (leads || row.leader() == 0 || attempt >= kLeaderTries)) {
        return LogRange{row.log_start(), row.high_watermark(), best.address};
      }
      // Nobody can say more about a partition that its leader cannot serve.
      if (leads) return LogRange{row.log_start(), row.high_watermark(), best.address};
      error = absl::UnavailableError(row.error());
    } else if (!IsTransient(error)) {
      return error;
    }
    if (attempt < kQuickTries) continue;  // the leader was only learned now
    const auto pause = BackOff(attempt);
    if (std::chrono::system_clock::now() + pause >= deadline) return error;
    std::this_thread::sleep_for(pause);
  }
}

// ---- the cluster ----

namespace {

NodeState FromProto(v1::NodeState state) {
  switch (state) {
    case v1::NODE_STATE_DRAINING:
      return NodeState::kDraining;
    case v1::NODE_STATE_DEAD:
      return NodeState::kDead;
    default:
      return NodeState::kActive;
  }
}

PartitionMember FromProto(const v1::PartitionMember& from) {
  PartitionMember to;
  to.node = from.node();
  to.votes = from.role() == v1::MEMBER_ROLE_VOTER;
  to.reachable = from.reachable();
  to.damaged = from.damaged();
  if (from.has_lag_entries()) to.lag_entries = from.lag_entries();
  return to;
}

PartitionStateInfo FromProto(const v1::PartitionState& from) {
  PartitionStateInfo to{.topic = from.topic(),
                        .partition = from.partition(),
                        .leader = from.leader(),
                        .replicas = {from.replicas().begin(), from.replicas().end()},
                        .members = {},
                        .under_replicated = from.under_replicated()};
  for (const v1::PartitionMember& member : from.members()) to.members.push_back(FromProto(member));
  return to;
}

}  // namespace

absl::StatusOr<ClusterInfo> Admin::DescribeCluster(const std::string& topic) {
  v1::DescribeClusterRequest request;
  request.set_topic(topic);
  CAIRN_ASSIGN_OR_RETURN(const auto response,
                         Call(client_->impl(), &Stub::DescribeCluster, request));
  ClusterInfo cluster;
  cluster.id = response.cluster_id();
  cluster.controller = response.controller();
  for (const v1::PartitionMember& member : response.controller_members()) {
    cluster.controller_members.push_back(FromProto(member));
  }
  for (const v1::Node& node : response.nodes()) {
    cluster.nodes.push_back({.id = node.id(),
                             .name = node.name(),
                             .address = node.address(),
                             .rack = node.rack(),
                             .version = node.version(),
                             .state = FromProto(node.state()),
                             .reachable = node.reachable(),
                             .gossip = node.gossip()});
  }
  for (const v1::PartitionState& partition : response.partitions()) {
    cluster.partitions.push_back(FromProto(partition));
  }
  return cluster;
}

absl::StatusOr<std::vector<WaitInfo>> Admin::ExplainCluster() {
  CAIRN_ASSIGN_OR_RETURN(const auto response,
                         Call(client_->impl(), &Stub::ExplainCluster, v1::ExplainClusterRequest()));
  std::vector<WaitInfo> waits;
  for (const v1::Wait& wait : response.waits()) waits.push_back({wait.about(), wait.why()});
  return waits;
}

absl::StatusOr<int32_t> Admin::TransferLeadership(const std::string& topic, int32_t partition,
                                                  int32_t node) {
  v1::TransferLeadershipRequest request;
  request.set_topic(topic);
  request.set_partition(partition);
  request.set_node(node);
  CAIRN_ASSIGN_OR_RETURN(const auto response,
                         Call(client_->impl(), &Stub::TransferLeadership, request));
  return response.leader();
}

absl::Status Admin::DrainNode(int32_t node) {
  v1::DrainNodeRequest request;
  request.set_node(node);
  return Call(client_->impl(), &Stub::DrainNode, request).status();
}

absl::Status Admin::ResumeNode(int32_t node) {
  v1::ResumeNodeRequest request;
  request.set_node(node);
  return Call(client_->impl(), &Stub::ResumeNode, request).status();
}

absl::Status Admin::RemoveNode(int32_t node) {
  v1::RemoveNodeRequest request;
  request.set_node(node);
  return Call(client_->impl(), &Stub::RemoveNode, request).status();
}

// ---- gossip ----

absl::StatusOr<std::vector<MemberInfo>> Admin::ListMembers() {
  CAIRN_ASSIGN_OR_RETURN(const auto response,
                         Call(client_->impl(), &Stub::ListMembers, v1::ListMembersRequest()));
  std::vector<MemberInfo> members;
  for (const v1::Member& member : response.members()) {
    members.push_back({.name = member.name(),
                       .address = member.address(),
                       .status = member.status(),
                       .kind = member.kind(),
                       .tags = {member.tags().begin(), member.tags().end()}});
  }
  return members;
}

absl::StatusOr<AccessPolicyInfo> Admin::GetAccessPolicy() {
  const v1::GetAccessPolicyRequest request;
  CAIRN_ASSIGN_OR_RETURN(auto response, Call(client_->impl(), &Stub::GetAccessPolicy, request));
  return AccessPolicyInfo{.version = response.version(),
                          .model = std::move(*response.mutable_model()),
                          .policy = std::move(*response.mutable_policy()),
                          .set_ms = response.set_ms(),
                          .in_use = response.in_use()};
}

absl::StatusOr<AccessPolicyInfo> Admin::SetAccessPolicy(const std::string& model,
                                                        const std::string& policy,
                                                        std::optional<uint64_t> expected_version) {
  v1::SetAccessPolicyRequest request;
  request.set_model(model);
  request.set_policy(policy);
  if (expected_version) request.set_expected_version(*expected_version);
  CAIRN_ASSIGN_OR_RETURN(const auto response,
                         Call(client_->impl(), &Stub::SetAccessPolicy, request));
  return AccessPolicyInfo{.version = response.version(), .in_use = response.in_use()};
}

absl::StatusOr<KeysInfo> Admin::ChangeKeys(KeyOperation operation, const std::string& key) {
  v1::ChangeKeysRequest request;
  switch (operation) {
    case KeyOperation::kList:
      request.set_operation(v1::KEY_OPERATION_LIST);
      break;
    case KeyOperation::kInstall:
      request.set_operation(v1::KEY_OPERATION_INSTALL);
      break;
    case KeyOperation::kUse:
      request.set_operation(v1::KEY_OPERATION_USE);
      break;
    case KeyOperation::kRemove:
      request.set_operation(v1::KEY_OPERATION_REMOVE);
      break;
  }
  request.set_key(key);
  CAIRN_ASSIGN_OR_RETURN(const auto response, Call(client_->impl(), &Stub::ChangeKeys, request));
  return KeysInfo{.members = response.members(),
                  .answers = response.answers(),
                  .errors = response.errors(),
                  .messages = {response.messages().begin(), response.messages().end()},
                  .keys = {response.keys().begin(), response.keys().end()},
                  .primary_keys = {response.primary_keys().begin(), response.primary_keys().end()}};
}

absl::Status Admin::SendEvent(const std::string& name, const std::string& payload) {
  v1::SendEventRequest request;
  request.set_name(name);
  request.set_payload(payload);
  return Call(client_->impl(), &Stub::SendEvent, request).status();
}

// ---- what a node says of itself ----

absl::StatusOr<std::string> Admin::GetMetrics(int32_t node, const std::vector<std::string>& names) {
  v1::GetMetricsRequest request;
  request.set_node(node);
  request.mutable_names()->Add(names.begin(), names.end());
  CAIRN_ASSIGN_OR_RETURN(auto response, Call(client_->impl(), &Stub::GetMetrics, request));
  return std::move(*response.mutable_prometheus_text());
}

absl::StatusOr<std::string> Admin::GetDiagnostics(int32_t node) {
  v1::GetDiagnosticsRequest request;
  request.set_node(node);
  CAIRN_ASSIGN_OR_RETURN(auto response, Call(client_->impl(), &Stub::GetDiagnostics, request));
  return std::move(*response.mutable_json());
}

}  // namespace cairn
