// The half of AdminService that is about the cluster.
#include <utility>

#include "base/error_info.h"
#include "base/strings.h"
#include "rpc/admin_service.h"
#include "rpc/cluster_codec.h"
#include "rpc/unary_call.h"

namespace cairn::rpc {
namespace {

// Answers with how a command went.
auto AnswerWithOutcome(UnaryCall* reactor) {
  return [reactor](const absl::StatusOr<cluster::CommandResult>& result) {
    reactor->End(result.status());
  };
}

cluster::SetNodeState StateOf(int32_t node, cluster::NodeState state) {
  cluster::SetNodeState command;
  command.node = NodeId(node);
  command.state = state;
  return command;
}

}  // namespace

grpc::ServerUnaryReactor* AdminService::DescribeCluster(grpc::CallbackServerContext* call,
                                                        const v1::DescribeClusterRequest* request,
                                                        v1::DescribeClusterResponse* response) {
  auto* reactor = new UnaryCall(context_, call, "/cairn.v1.Admin/DescribeCluster");
  const bool may = request->topic().empty()
                       ? reactor->May(security::Action::kDescribe)
                       : reactor->MayUse(security::Action::kDescribe, request->topic());
  if (!may) return reactor;
  if (!request->topic().empty()) {
    if (auto known = context_.broker.DescribeTopic(request->topic()); !known.ok()) {
      reactor->End(known.status());
      return reactor;
    }
  }
  context_.node.Report(
      [reactor, request, response, this](const absl::StatusOr<cluster::ClusterReport>& report) {
        if (report.ok()) {
          WriteCluster(context_.node.metadata()->metadata, *report, context_.membership.Observe(),
                       request->topic(), *response);
        }
        reactor->End(report.status());
      });
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::ExplainCluster(grpc::CallbackServerContext* call,
                                                       const v1::ExplainClusterRequest* /*request*/,
                                                       v1::ExplainClusterResponse* response) {
  auto* reactor = new UnaryCall(context_, call, "/cairn.v1.Admin/ExplainCluster");
  if (!reactor->May(security::Action::kDescribe)) return reactor;
  context_.node.Report([reactor, response](absl::StatusOr<cluster::ClusterReport> report) {
    if (report.ok()) {
      for (cluster::Wait& wait : report->waits) {
        v1::Wait& row = *response->add_waits();
        row.set_about(std::move(wait.about));
        row.set_why(std::move(wait.why));
      }
    }
    reactor->End(report.status());
  });
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::GetMetrics(grpc::CallbackServerContext* call,
                                                   const v1::GetMetricsRequest* request,
                                                   v1::GetMetricsResponse* response) {
  auto* reactor = new UnaryCall(context_, call, "/cairn.v1.Admin/GetMetrics");
  if (!reactor->May(security::Action::kDescribe)) return reactor;
  response->set_node(request->node() == 0 ? context_.node.id().value() : request->node());
  context_.node.Ask(NodeId(request->node()),
                    {.what = cluster::Inquiry::What::kMetrics,
                     .names = {request->names().begin(), request->names().end()}},
                    [reactor, response](absl::StatusOr<std::string> text) {
                      if (text.ok()) response->set_prometheus_text(*std::move(text));
                      reactor->End(text.status());
                    });
  return reactor;
}

// A log may name anything, and a configuration tells how a node is guarded: not for everyone who
// may see that there is a cluster.
grpc::ServerUnaryReactor* AdminService::GetDiagnostics(grpc::CallbackServerContext* call,
                                                       const v1::GetDiagnosticsRequest* request,
                                                       v1::GetDiagnosticsResponse* response) {
  auto* reactor = new UnaryCall(context_, call, "/cairn.v1.Admin/GetDiagnostics");
  if (!reactor->May(security::Action::kCluster)) return reactor;
  response->set_node(request->node() == 0 ? context_.node.id().value() : request->node());
  context_.node.Ask(NodeId(request->node()), {.what = cluster::Inquiry::What::kDiagnostics},
                    [reactor, response](absl::StatusOr<std::string> json) {
                      if (json.ok()) response->set_json(*std::move(json));
                      reactor->End(json.status());
                    });
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::TransferLeadership(
    grpc::CallbackServerContext* call, const v1::TransferLeadershipRequest* request,
    v1::TransferLeadershipResponse* response) {
  auto* reactor = new UnaryCall(context_, call, "/cairn.v1.Admin/TransferLeadership");
  reactor->report().SetPartition(request->topic(), request->partition());
  if (!reactor->May(security::Action::kCluster)) return reactor;
  context_.node.TransferLeadership(request->topic(), PartitionId(request->partition()),
                                   NodeId(request->node()),
                                   [reactor, response](absl::StatusOr<NodeId> leader) {
                                     if (leader.ok()) response->set_leader(leader->value());
                                     reactor->End(leader.status());
                                   });
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::DrainNode(grpc::CallbackServerContext* call,
                                                  const v1::DrainNodeRequest* request,
                                                  v1::DrainNodeResponse* /*response*/) {
  auto* reactor = new UnaryCall(context_, call, "/cairn.v1.Admin/DrainNode");
  if (!reactor->May(security::Action::kCluster)) return reactor;
  context_.node.RunCommand(StateOf(request->node(), cluster::NodeState::kDraining),
                           AnswerWithOutcome(reactor));
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::ResumeNode(grpc::CallbackServerContext* call,
                                                   const v1::ResumeNodeRequest* request,
                                                   v1::ResumeNodeResponse* /*response*/) {
  auto* reactor = new UnaryCall(context_, call, "/cairn.v1.Admin/ResumeNode");
  if (!reactor->May(security::Action::kCluster)) return reactor;
  context_.node.RunCommand(StateOf(request->node(), cluster::NodeState::kActive),
                           AnswerWithOutcome(reactor));
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::RemoveNode(grpc::CallbackServerContext* call,
                                                   const v1::RemoveNodeRequest* request,
                                                   v1::RemoveNodeResponse* /*response*/) {
  auto* reactor = new UnaryCall(context_, call, "/cairn.v1.Admin/RemoveNode");
  if (!reactor->May(security::Action::kCluster)) return reactor;
  cluster::RemoveNode command;
  command.node = NodeId(request->node());
  context_.node.RunCommand(std::move(command), AnswerWithOutcome(reactor));
  return reactor;
}

}  // namespace cairn::rpc
