#include "process/node_client.h"

#include <grpcpp/grpcpp.h>

#include "api/status_codec.h"
#include "base/status_macros.h"

namespace cairn::testing {
namespace {

std::shared_ptr<grpc::Channel> NewChannel(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own
  // A node that is back is to be found at once, not after gRPC's patient default.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 20);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 500);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 100);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

template <typename Stub, typename Request, typename Response>
absl::StatusOr<Response> Call(Stub& stub,
                              grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                           Response*),
                              const Request& request, std::chrono::milliseconds timeout) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + timeout);
  Response response;
  const grpc::Status status = (stub.*method)(&context, request, &response);
  if (!status.ok()) return api::FromGrpcStatus(status);
  return response;
}

}  // namespace

NodeClient::NodeClient(const std::string& address) : address_(address) {
  const auto channel = NewChannel(address);
  log_ = logapi::v1::Log::NewStub(channel);
  admin_ = cairn::v1::Admin::NewStub(channel);
}

absl::StatusOr<logapi::v1::ProduceResponse> NodeClient::Produce(
    const logapi::v1::ProduceRequest& request, std::chrono::milliseconds timeout) {
  return Call(*log_, &logapi::v1::Log::Stub::Produce, request, timeout);
}

absl::StatusOr<logapi::v1::ConsumeResponse> NodeClient::Consume(const std::string& topic,
                                                                uint64_t offset,
                                                                uint32_t max_records) {
  logapi::v1::ConsumeRequest request;
  request.set_topic(topic);
  request.set_offset(offset);
  request.set_max_records(max_records);
  return Call(*log_, &logapi::v1::Log::Stub::Consume, request, kTimeout);
}

absl::StatusOr<ReplicaContent> NodeClient::ReadAll(const std::string& name,
                                                   const std::string& topic) {
  ReplicaContent content{.name = name, .records = {}};
  uint64_t next = 0;
  while (true) {
    CAIRN_ASSIGN_OR_RETURN(const logapi::v1::ConsumeResponse response, Consume(topic, next));
    for (const logapi::v1::Record& record : response.records()) {
      content.records.emplace_back(record.offset(), record.value());
      next = record.offset() + 1;
    }
    if (response.records().empty()) return content;
  }
}

absl::StatusOr<std::vector<logapi::v1::Server>> NodeClient::Servers() {
  CAIRN_ASSIGN_OR_RETURN(
      const logapi::v1::GetServersResponse response,
      Call(*log_, &logapi::v1::Log::Stub::GetServers, logapi::v1::GetServersRequest(), kTimeout));
  return std::vector(response.servers().begin(), response.servers().end());
}

absl::StatusOr<int64_t> NodeClient::AllocateProducerId() {
  CAIRN_ASSIGN_OR_RETURN(const cairn::v1::AllocateProducerIdResponse response,
                         Call(*admin_, &cairn::v1::Admin::Stub::AllocateProducerId,
                              cairn::v1::AllocateProducerIdRequest(), kTimeout));
  return response.producer_id();
}

absl::Status NodeClient::CreateTopic(const std::string& name, int32_t replication_factor) {
  cairn::v1::CreateTopicRequest request;
  request.set_name(name);
  request.set_replication_factor(replication_factor);
  return Call(*admin_, &cairn::v1::Admin::Stub::CreateTopic, request, kTimeout).status();
}

}  // namespace cairn::testing
