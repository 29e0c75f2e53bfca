#include "cairn/admin.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <utility>

#include "base/status_macros.h"
#include "cairn/v1/admin.grpc.pb.h"
#include "client/client_impl.h"

namespace cairn {
namespace {

using Stub = v1::Admin::Stub;

// One unary call: its response, or its status with details.
template <typename Request, typename Response>
absl::StatusOr<Response> Call(const Client::Impl& client,
                              grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                           Response*),
                              const Request& request) {
  Stub stub(client.channel());
  grpc::ClientContext context;
  client.Prepare(context);
  Response response;
  CAIRN_RETURN_IF_ERROR(client.Translate((stub.*method)(&context, request, &response)));
  return response;
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
    topic.partitions.push_back({.partition = partition.partition(),
                                .log_start = partition.log_start(),
                                .high_watermark = partition.high_watermark(),
                                .error = partition.error()});
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
  return FromProto(response.topic());
}

absl::StatusOr<TopicInfo> Admin::AlterTopic(const std::string& name, const TopicSettings& change) {
  v1::AlterTopicRequest request;
  request.set_name(name);
  ToProto(change, *request.mutable_settings());
  CAIRN_ASSIGN_OR_RETURN(const auto response, Call(client_->impl(), &Stub::AlterTopic, request));
  return FromProto(response.topic());
}

absl::Status Admin::DeleteTopic(const std::string& name) {
  v1::DeleteTopicRequest request;
  request.set_name(name);
  return Call(client_->impl(), &Stub::DeleteTopic, request).status();
}

absl::StatusOr<client::ProducerIdentity> client::AllocateProducerId(const Client::Impl& client) {
  CAIRN_ASSIGN_OR_RETURN(const auto response,
                         Call(client, &Stub::AllocateProducerId, v1::AllocateProducerIdRequest()));
  return ProducerIdentity{.id = response.producer_id(), .epoch = response.epoch()};
}

}  // namespace cairn
