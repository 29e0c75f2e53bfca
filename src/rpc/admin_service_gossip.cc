// The half of AdminService that is about gossip.
#include <utility>

#include "gossip/wire/keyring.h"
#include "rpc/admin_service.h"
#include "rpc/unary_call.h"

namespace cairn::rpc {
namespace {

absl::StatusOr<gossip::KeyOperation> FromProto(v1::KeyOperation operation) {
  switch (operation) {
    case v1::KEY_OPERATION_LIST:
      return gossip::KeyOperation::kList;
    case v1::KEY_OPERATION_INSTALL:
      return gossip::KeyOperation::kInstall;
    case v1::KEY_OPERATION_USE:
      return gossip::KeyOperation::kUse;
    case v1::KEY_OPERATION_REMOVE:
      return gossip::KeyOperation::kRemove;
    default:
      return absl::InvalidArgumentError("the request names no operation on keys");
  }
}

void Write(const gossip::KeyResult& result, v1::ChangeKeysResponse& to) {
  to.set_members(static_cast<int32_t>(result.members));
  to.set_answers(static_cast<int32_t>(result.answers));
  to.set_errors(static_cast<int32_t>(result.errors));
  for (const auto& [member, message] : result.messages) (*to.mutable_messages())[member] = message;
  for (const auto& [key, count] : result.keys) {
    (*to.mutable_keys())[key] = static_cast<int32_t>(count);
  }
  for (const auto& [key, count] : result.primary_keys) {
    (*to.mutable_primary_keys())[key] = static_cast<int32_t>(count);
  }
}

}  // namespace

grpc::ServerUnaryReactor* AdminService::ListMembers(grpc::CallbackServerContext* call,
                                                    const v1::ListMembersRequest* /*request*/,
                                                    v1::ListMembersResponse* response) {
  auto* reactor = new UnaryCall(context_, call, "/cairn.v1.Admin/ListMembers");
  if (!reactor->May(security::Action::kDescribe)) return reactor;
  context_.membership.List(
      [reactor, response](absl::StatusOr<std::vector<cluster::GossipMember>> members) {
        if (!members.ok()) return reactor->End(members.status());
        for (const cluster::GossipMember& member : *members) {
          v1::Member& row = *response->add_members();
          row.set_name(member.name);
          row.set_address(member.address);
          row.set_status(std::string(gossip::ToString(member.status)));
          row.set_kind(std::string(cluster::ToString(member.kind)));
          for (const auto& [name, value] : member.tags) (*row.mutable_tags())[name] = value;
        }
        reactor->End(absl::OkStatus());
      });
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::ChangeKeys(grpc::CallbackServerContext* call,
                                                   const v1::ChangeKeysRequest* request,
                                                   v1::ChangeKeysResponse* response) {
  auto* reactor = new UnaryCall(context_, call, "/cairn.v1.Admin/ChangeKeys");
  if (!reactor->May(security::Action::kCluster)) return reactor;
  const auto operation = FromProto(request->operation());
  absl::StatusOr<std::string> key = std::string();
  if (operation.ok() && *operation != gossip::KeyOperation::kList) {
    key = gossip::ParseKey(request->key());
  }
  if (!operation.ok() || !key.ok()) {
    reactor->End(operation.ok() ? key.status() : operation.status());
    return reactor;
  }
  context_.membership.ChangeKeys(*operation, *std::move(key),
                                 [reactor, response](absl::StatusOr<gossip::KeyResult> result) {
                                   if (!result.ok()) return reactor->End(result.status());
                                   Write(*result, *response);
                                   reactor->End(absl::OkStatus());
                                 });
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::SendEvent(grpc::CallbackServerContext* call,
                                                  const v1::SendEventRequest* request,
                                                  v1::SendEventResponse* /*response*/) {
  auto* reactor = new UnaryCall(context_, call, "/cairn.v1.Admin/SendEvent");
  if (!reactor->May(security::Action::kCluster)) return reactor;
  context_.membership.SendEvent(
      request->name(), request->payload(),
      [reactor](absl::Status status) { reactor->End(std::move(status)); });
  return reactor;
}

}  // namespace cairn::rpc
