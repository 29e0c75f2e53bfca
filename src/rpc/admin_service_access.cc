// The part of AdminService that is about who may do what.
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "rpc/admin_service.h"
#include "rpc/unary_call.h"

namespace cairn::rpc {
namespace {

// Whether the texts are a model and a policy, and one under which the caller could set another:
// nobody could take back what locks everybody out. Errors: INVALID_ARGUMENT with the line;
// FAILED_PRECONDITION.
absl::Status CheckPolicy(const CallGuard& guard, const v1::SetAccessPolicyRequest& request) {
  security::Access candidate;
  CAIRN_RETURN_IF_ERROR(candidate.Load(request.model(), "model", request.policy(), "policy"));
  if (guard.WouldPass(candidate, security::Action::kCluster)) return absl::OkStatus();
  return absl::FailedPreconditionError(base::StrCat(
      "under this policy \"", guard.Subject(),
      "\" could not set another one: add a rule that lets it do \"cluster\" to \"*\""));
}

}  // namespace

grpc::ServerUnaryReactor* AdminService::GetAccessPolicy(
    grpc::CallbackServerContext* call, const v1::GetAccessPolicyRequest* /*request*/,
    v1::GetAccessPolicyResponse* response) {
  auto* reactor = new UnaryCall(context_, call, "/cairn.v1.Admin/GetAccessPolicy");
  if (!reactor->May(security::Action::kCluster)) return reactor;
  const auto view = context_.node.metadata();
  const cluster::AccessPolicy& policy = view->metadata.access_policy;
  response->set_version(policy.version);
  response->set_model(policy.model);
  response->set_policy(policy.policy);
  response->set_set_ms(policy.set_ms);
  response->set_in_use(context_.security.from_cluster);
  reactor->End(absl::OkStatus());
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::SetAccessPolicy(grpc::CallbackServerContext* call,
                                                        const v1::SetAccessPolicyRequest* request,
                                                        v1::SetAccessPolicyResponse* response) {
  auto* reactor = new UnaryCall(context_, call, "/cairn.v1.Admin/SetAccessPolicy");
  if (!reactor->May(security::Action::kCluster)) return reactor;
  if (absl::Status fit = CheckPolicy(reactor->report().guard(), *request); !fit.ok()) {
    reactor->End(std::move(fit));
    return reactor;
  }
  cluster::SetAccessPolicy command{.model = request->model(), .policy = request->policy()};
  if (request->has_expected_version()) command.expected_version = request->expected_version();
  context_.node.RunCommand(std::move(command),
                           [reactor, response, this](absl::StatusOr<cluster::CommandResult> done) {
                             if (done.ok()) response->set_version(done->policy_version);
                             response->set_in_use(context_.security.from_cluster);
                             reactor->End(done.status());
                           });
  return reactor;
}

}  // namespace cairn::rpc
