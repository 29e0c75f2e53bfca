// Who is at the other end of a gRPC connection: what its certificate says, and whether it is still
// let in.
//
// gRPC has checked the certificate in its handshake, which may be long ago: it is checked again
// whenever the authorities or their lists have changed, and not believed after its end.
#pragma once

#include <grpcpp/security/auth_context.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "env/clock.h"
#include "security/tls/tls_identity.h"

namespace cairn::rpc {

// Thread-safe.
class ClientIdentities {
 public:
  // Both outlive it.
  ClientIdentities(const security::CurrentTls& tls, const env::Clock& clock)
      : tls_(tls), clock_(clock) {}

  // The common name of the certificate; "" where none is demanded. Errors: UNAUTHENTICATED.
  absl::StatusOr<std::string> SubjectOf(const grpc::AuthContext& connection) const;

 private:
  struct Checked {
    absl::Status status;
    std::string subject;
    int64_t not_after_s = 0;
  };
  using CheckedCertificate = std::shared_ptr<const Checked>;

  CheckedCertificate Check(const grpc::string_ref& pem) const;

  const security::CurrentTls& tls_;
  const env::Clock& clock_;
  mutable base::Mutex mutex_;
  // Of version_, by certificate. Bounded: a node has few clients, and each entry is a chain.
  mutable std::map<std::string, CheckedCertificate, std::less<>> checked_ CAIRN_GUARDED_BY(mutex_);
  mutable uint64_t version_ CAIRN_GUARDED_BY(mutex_) = 0;
};

}  // namespace cairn::rpc
