#include "rpc/admin_service.h"

#include <optional>
#include <utility>

#include "base/strings.h"
#include "rpc/cluster_codec.h"
#include "rpc/consume_call.h"
#include "rpc/topic_codec.h"
#include "rpc/unary_call.h"

namespace cairn::rpc {
namespace {

// Answers a request whose result is a topic.
template <typename Response>
auto AnswerWithTopic(UnaryCall* reactor, Response* response) {
  return [reactor, response](absl::StatusOr<broker::TopicInfo> topic) {
    if (topic.ok()) WriteTopic(*topic, *response->mutable_topic());
    reactor->End(topic.status());
  };
}

// One row of DescribeTopic. Reading at the end costs no disk but brings the error of a partition
// that does not serve.
void DescribePartition(broker::Partition& partition, v1::Partition& to) {
  to.set_log_start(partition.log_start().value());
  to.set_high_watermark(partition.high_watermark().value());
  const auto probe = partition.Fetch(partition.high_watermark(), 1);
  if (!probe.ok()) to.set_error(std::string(base::StdView(probe.status().message())));
}

absl::Status DescribePartitions(const broker::Broker& broker, const cluster::Node& node,
                                v1::DescribeTopicResponse& response) {
  v1::Topic& topic = *response.mutable_topic();
  for (int32_t i = 0; i < topic.partition_count(); ++i) {
    v1::Partition& row = *topic.add_partitions();
    row.set_partition(i);
    auto partition = broker.FindPartition(topic.name(), PartitionId(i));
    if (!partition.ok()) return partition.status();  // deleted meanwhile
    DescribePartition(**partition, row);
  }
  WriteLeaders(node, response);
  return absl::OkStatus();
}

}  // namespace

grpc::ServerUnaryReactor* AdminService::CreateTopic(grpc::CallbackServerContext* call,
                                                    const v1::CreateTopicRequest* request,
                                                    v1::CreateTopicResponse* response) {
  auto* reactor = new UnaryCall(context_, call, "/cairn.v1.Admin/CreateTopic");
  reactor->report().SetPartition(request->name(), 0);
  if (!reactor->MayUse(security::Action::kCreate, request->name())) return reactor;
  context_.broker.CreateTopic(request->name(), request->partition_count(),
                              request->replication_factor(), ReadTopicSettings(request->settings()),
                              AnswerWithTopic(reactor, response));
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::ListTopics(grpc::CallbackServerContext* call,
                                                   const v1::ListTopicsRequest* /*request*/,
                                                   v1::ListTopicsResponse* response) {
  auto* reactor = new UnaryCall(context_, call, "/cairn.v1.Admin/ListTopics");
  if (!reactor->IsKnown()) return reactor;
  for (const broker::TopicInfo& topic : context_.broker.ListTopics()) {
    if (!reactor->report().guard().May(security::Action::kDescribe, topic.name)) continue;
    WriteTopic(topic, *response->add_topics());
  }
  reactor->End(absl::OkStatus());
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::DescribeTopic(grpc::CallbackServerContext* call,
                                                      const v1::DescribeTopicRequest* request,
                                                      v1::DescribeTopicResponse* response) {
  auto* reactor = new UnaryCall(context_, call, "/cairn.v1.Admin/DescribeTopic");
  reactor->report().SetPartition(request->name(), 0);
  if (!reactor->MayUse(security::Action::kDescribe, request->name())) return reactor;
  auto topic = context_.broker.DescribeTopic(request->name());
  if (!topic.ok()) {
    reactor->End(topic.status());
    return reactor;
  }
  WriteTopic(*topic, *response->mutable_topic());
  const bool queued = context_.readers.Submit(
      [&broker = context_.broker, &node = context_.node, reactor, response] {
        reactor->End(DescribePartitions(broker, node, *response));
      });
  if (!queued) reactor->End(TooManyReads());
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::AlterTopic(grpc::CallbackServerContext* call,
                                                   const v1::AlterTopicRequest* request,
                                                   v1::AlterTopicResponse* response) {
  auto* reactor = new UnaryCall(context_, call, "/cairn.v1.Admin/AlterTopic");
  reactor->report().SetPartition(request->name(), 0);
  if (!reactor->MayUse(security::Action::kAlter, request->name())) return reactor;
  std::optional<int32_t> replication_factor;
  if (request->has_replication_factor()) replication_factor = request->replication_factor();
  context_.broker.AlterTopic(request->name(), ReadTopicSettings(request->settings()),
                             replication_factor, AnswerWithTopic(reactor, response));
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::DeleteTopic(grpc::CallbackServerContext* call,
                                                    const v1::DeleteTopicRequest* request,
                                                    v1::DeleteTopicResponse* /*response*/) {
  auto* reactor = new UnaryCall(context_, call, "/cairn.v1.Admin/DeleteTopic");
  reactor->report().SetPartition(request->name(), 0);
  if (!reactor->MayUse(security::Action::kDelete, request->name())) return reactor;
  context_.broker.DeleteTopic(request->name(),
                              [reactor](absl::Status status) { reactor->End(std::move(status)); });
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::AllocateProducerId(
    grpc::CallbackServerContext* call, const v1::AllocateProducerIdRequest* request,
    v1::AllocateProducerIdResponse* response) {
  auto* reactor = new UnaryCall(context_, call, "/cairn.v1.Admin/AllocateProducerId");
  if (!reactor->MayUse(security::Action::kProduce, request->topic())) return reactor;
  context_.broker.AllocateProducerId([reactor, response](const absl::StatusOr<int64_t>& id) {
    if (id.ok()) response->set_producer_id(*id);
    reactor->End(id.status());
  });
  return reactor;
}

}  // namespace cairn::rpc
