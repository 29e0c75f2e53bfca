// CallGuard: who makes a call, and what they may. Every RPC asks it before it does anything.
#pragma once

#include <grpcpp/security/auth_context.h>
#include <grpcpp/server_context.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rpc/client_identities.h"
#include "security/access.h"

namespace cairn::rpc {

// What guards the calls of a server. The referents outlive it. Without both, everyone may.
struct Security {
  const security::Access* access = nullptr;
  const security::CurrentTls* tls = nullptr;
  const ClientIdentities* identities = nullptr;  // with tls
  bool from_cluster = false;                     // the policy of `access`

  // Changes with the policy and with whom we trust: what was allowed has to be asked again.
  uint64_t version() const {
    return (access == nullptr ? 0 : access->version()) + (tls == nullptr ? 0 : tls->version());
  }
};

// Thread-safe; may outlive the call.
class CallGuard {
 public:
  CallGuard(const Security& security, const grpc::CallbackServerContext& call);

  // `topic` as the request has it: "" means the default one. Errors: UNAUTHENTICATED,
  // PERMISSION_DENIED.
  absl::Status Check(security::Action action, std::string_view topic) const;
  // For requests that are about no topic.
  absl::Status CheckNoTopic(security::Action action) const;
  // For what every client may that we let in. Errors: UNAUTHENTICATED.
  absl::Status CheckIdentity() const;
  // Whether another policy would let the caller do what is about no topic. Without TLS, where there
  // is no identity that it could name: true.
  bool WouldPass(const security::Access& policy, security::Action action) const;
  // For leaving out of a list what the caller may not see.
  bool May(security::Action action, std::string_view topic) const;

  // For logs: "" when it is not known.
  std::string Subject() const;
  uint64_t security_version() const { return security_.version(); }

 private:
  absl::StatusOr<security::Caller> Identify() const;

  const Security& security_;
  std::shared_ptr<const grpc::AuthContext> connection_;  // with TLS
  std::string address_;                                  // when something is guarded
};

}  // namespace cairn::rpc
