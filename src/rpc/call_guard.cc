#include "rpc/call_guard.h"

#include "base/status_macros.h"
#include "broker/topic.h"

namespace cairn::rpc {
namespace {

security::Object ObjectOf(std::string_view topic) {
  if (topic.empty()) return {.topic = broker::kDefaultTopic, .unnamed = true};
  return {.topic = topic};
}

}  // namespace

CallGuard::CallGuard(const Security& security, const grpc::CallbackServerContext& call)
    : security_(security) {
  if (security_.tls == nullptr && security_.access == nullptr) return;
  address_ = call.peer();
  if (security_.tls != nullptr) connection_ = call.auth_context();
}

absl::StatusOr<security::Caller> CallGuard::Identify() const {
  security::Caller caller{.subject = {}, .address = address_};
  if (connection_ != nullptr) {
    CAIRN_ASSIGN_OR_RETURN(caller.subject, security_.identities->SubjectOf(*connection_));
  }
  return caller;
}

absl::Status CallGuard::CheckIdentity() const { return Identify().status(); }

absl::Status CallGuard::Check(security::Action action, std::string_view topic) const {
  CAIRN_ASSIGN_OR_RETURN(const security::Caller caller, Identify());
  if (security_.access == nullptr) return absl::OkStatus();
  return security_.access->Check(caller, action, ObjectOf(topic));
}

absl::Status CallGuard::CheckNoTopic(security::Action action) const {
  CAIRN_ASSIGN_OR_RETURN(const security::Caller caller, Identify());
  if (security_.access == nullptr) return absl::OkStatus();
  return security_.access->Check(caller, action, {});
}

bool CallGuard::May(security::Action action, std::string_view topic) const {
  const auto caller = Identify();
  if (!caller.ok()) return false;
  return security_.access == nullptr || security_.access->May(*caller, action, ObjectOf(topic));
}

bool CallGuard::WouldPass(const security::Access& policy, security::Action action) const {
  if (connection_ == nullptr) return true;
  const auto caller = Identify();
  return caller.ok() && policy.May(*caller, action, {});
}

std::string CallGuard::Subject() const {
  const auto caller = Identify();
  return caller.ok() ? caller->subject : std::string();
}

}  // namespace cairn::rpc
