#include "server/http_guard.h"

#include "base/error_info.h"

namespace cairn::server {

absl::Status HttpGuard::Check(const http::Request& request, security::Action action,
                              const security::Object& object) const {
  if (!enforced()) return CheckIdentity(request);
  return access_->Check({.subject = request.subject, .address = request.address}, action, object);
}

absl::Status HttpGuard::CheckIdentity(const http::Request& request) const {
  if (!request.subject.empty() || (!shown_a_name_ && !enforced())) return absl::OkStatus();
  return base::MakeError(absl::StatusCode::kUnauthenticated,
                         "no identity: show a certificate with a common name",
                         base::reason::kNoIdentity);
}

}  // namespace cairn::server
