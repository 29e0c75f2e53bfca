// cairn.v1.Admin on gRPC's callback API: topics, producer ids, the cluster.
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
  grpc::ServerUnaryReactor* DescribeCluster(grpc::CallbackServerContext* call,
                                            const v1::DescribeClusterRequest* request,
                                            v1::DescribeClusterResponse* response) override;
  grpc::ServerUnaryReactor* ExplainCluster(grpc::CallbackServerContext* call,
                                           const v1::ExplainClusterRequest* request,
                                           v1::ExplainClusterResponse* response) override;
  grpc::ServerUnaryReactor* TransferLeadership(grpc::CallbackServerContext* call,
                                               const v1::TransferLeadershipRequest* request,
                                               v1::TransferLeadershipResponse* response) override;
  grpc::ServerUnaryReactor* DrainNode(grpc::CallbackServerContext* call,
                                      const v1::DrainNodeRequest* request,
                                      v1::DrainNodeResponse* response) override;
  grpc::ServerUnaryReactor* ResumeNode(grpc::CallbackServerContext* call,
                                       const v1::ResumeNodeRequest* request,
                                       v1::ResumeNodeResponse* response) override;
  grpc::ServerUnaryReactor* RemoveNode(grpc::CallbackServerContext* call,
                                       const v1::RemoveNodeRequest* request,
                                       v1::RemoveNodeResponse* response) override;
  grpc::ServerUnaryReactor* GetAccessPolicy(grpc::CallbackServerContext* call,
                                            const v1::GetAccessPolicyRequest* request,
                                            v1::GetAccessPolicyResponse* response) override;
  grpc::ServerUnaryReactor* SetAccessPolicy(grpc::CallbackServerContext* call,
                                            const v1::SetAccessPolicyRequest* request,
                                            v1::SetAccessPolicyResponse* response) override;
  grpc::ServerUnaryReactor* ListMembers(grpc::CallbackServerContext* call,
                                        const v1::ListMembersRequest* request,
                                        v1::ListMembersResponse* response) override;
  grpc::ServerUnaryReactor* ChangeKeys(grpc::CallbackServerContext* call,
                                       const v1::ChangeKeysRequest* request,
                                       v1::ChangeKeysResponse* response) override;
  grpc::ServerUnaryReactor* SendEvent(grpc::CallbackServerContext* call,
                                      const v1::SendEventRequest* request,
                                      v1::SendEventResponse* response) override;
  grpc::ServerUnaryReactor* GetMetrics(grpc::CallbackServerContext* call,
                                       const v1::GetMetricsRequest* request,
                                       v1::GetMetricsResponse* response) override;
  grpc::ServerUnaryReactor* GetDiagnostics(grpc::CallbackServerContext* call,
                                           const v1::GetDiagnosticsRequest* request,
                                           v1::GetDiagnosticsResponse* response) override;

 private:
  const ServiceContext& context_;
};

}  // namespace cairn::rpc
