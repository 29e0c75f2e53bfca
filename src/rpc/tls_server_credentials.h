// gRPC's TLS on the server, with certificates that change while it runs.
#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "security/tls/tls_identity.h"

namespace cairn::rpc {

// Each handshake uses what `tls`, which outlives the server, has at that moment; it has a server's
// certificate. gRPC's watcher of files would take a certificate and a key that do not belong
// together, and then serve nobody.
std::shared_ptr<grpc::ServerCredentials> TlsServerCredentials(const security::CurrentTls& tls);

}  // namespace cairn::rpc
