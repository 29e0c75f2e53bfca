// HttpGuard: who may see what is served over HTTP, beside health checks: the same questions to the
// same policy as for RPCs.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "http/http_message.h"
#include "security/access.h"

namespace cairn::server {

// Thread-safe; a value.
class HttpGuard {
 public:
  // Without `access`, which outlives the guard, and until there is a policy, everyone may who is
  // let in; or of them who has `shown_a_name`, where HTTP lets in others, too.
  HttpGuard(const security::Access* access, bool shown_a_name)
      : access_(access), shown_a_name_(shown_a_name) {}

  // Whether the caller may; audited like an RPC. Errors: UNAUTHENTICATED, PERMISSION_DENIED.
  absl::Status Check(const http::Request& request, security::Action action,
                     const security::Object& object) const;
  // For what everyone may whom we know. Errors: UNAUTHENTICATED.
  absl::Status CheckIdentity(const http::Request& request) const;

  // Changes with the policy: what was allowed has to be asked again.
  uint64_t version() const { return access_ == nullptr ? 0 : access_->version(); }

 private:
  bool enforced() const { return access_ != nullptr && access_->enforced(); }

  const security::Access* access_;
  bool shown_a_name_;
};

}  // namespace cairn::server
