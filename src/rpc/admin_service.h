// cairn.v1.Admin on gRPC's callback API: topics and producer ids.
#pragma once

#include "cairn/v1/admin.grpc.pb.h"
#include "rpc/service_context.h"

namespace cairn::rpc {

class AdminService final : public cairn::v1::Admin::CallbackService {
 public:
  // `context` outlives the service.
  explicit AdminService(const ServiceContext& context) : context_(context) {}

  grpc::ServerUnaryReactor* CreateTopic(grpc::CallbackServerContext* call,
                                        const v1::CreateTopicRequest* request,
                                        v1::CreateTopicResponse* response) override;
  grpc::ServerUnaryReactor* ListTopics(grpc::CallbackServerContext* call,
                                       const v1::ListTopicsRequest* request,
                                       v1::ListTopicsResponse* response) override;
  grpc::ServerUnaryReactor* DescribeTopic(grpc::CallbackServerContext* call,
                                          const v1::DescribeTopicRequest* request,
                                          v1::DescribeTopicResponse* response) override;
  grpc::ServerUnaryReactor* AlterTopic(grpc::CallbackServerContext* call,
                                       const v1::AlterTopicRequest* request,
                                       v1::AlterTopicResponse* response) override;
  grpc::ServerUnaryReactor* DeleteTopic(grpc::CallbackServerContext* call,
                                        const v1::DeleteTopicRequest* request,
                                        v1::DeleteTopicResponse* response) override;
  grpc::ServerUnaryReactor* AllocateProducerId(grpc::CallbackServerContext* call,
                                               const v1::AllocateProducerIdRequest* request,
                                               v1::AllocateProducerIdResponse* response) override;

 private:
  const ServiceContext& context_;
};

}  // namespace cairn::rpc
