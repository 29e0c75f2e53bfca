#include "rpc/client_identities.h"

#include <grpc/grpc_security_constants.h>

#include <string_view>
#include <utility>

#include "base/error_info.h"
#include "base/strings.h"
#include "rpc/limits.h"

namespace cairn::rpc {
namespace {

absl::Status NotBelieved(std::string_view why) {
  return base::MakeError(absl::StatusCode::kUnauthenticated, why, base::reason::kNoIdentity);
}

}  // namespace

absl::StatusOr<std::string> ClientIdentities::SubjectOf(const grpc::AuthContext& connection) const {
  const auto shown = connection.FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  if (shown.empty()) {
    if (!tls_.Get()->demands_clients()) return std::string();
    return NotBelieved("no certificate was shown");
  }
  const CheckedCertificate checked = Check(shown.front());
  if (!checked->status.ok()) return NotBelieved(base::StdView(checked->status.message()));
  if (checked->not_after_s * 1000 < clock_.WallMs()) {
    return NotBelieved("the certificate has expired; connect with a new one");
  }
  return checked->subject;
}

ClientIdentities::CheckedCertificate ClientIdentities::Check(const grpc::string_ref& pem) const {
  const std::string_view text(pem.data(), pem.size());
  const uint64_t version = tls_.version();
  {
    const base::MutexLock lock(mutex_);
    if (version_ != version || checked_.size() >= kMaxCheckedCertificates) checked_.clear();
    version_ = version;
    if (const auto found = checked_.find(text); found != checked_.end()) return found->second;
  }
  auto checked = std::make_shared<Checked>();
  auto certificate = tls_.Get()->clients->CheckClient(text);
  if (certificate.ok()) {
    checked->subject = std::move(certificate->common_name);
    checked->not_after_s = certificate->not_after_s;
  } else {
    checked->status = certificate.status();
  }
  const base::MutexLock lock(mutex_);
  // What was checked by newer rules than these stays.
  if (version_ == version) checked_.emplace(text, checked);
  return checked;
}

}  // namespace cairn::rpc
