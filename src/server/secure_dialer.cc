#include "server/secure_dialer.h"

#include <utility>

#include "base/strings.h"
#include "env/host_port.h"
#include "security/tls/tls_connection.h"
#include "server/tls_acceptor.h"

namespace cairn::server {

void SecureDialer::Dial(const std::string& address, env::Network::ConnectCallback done) {
  plain_.Dial(address, [this, address, done = std::move(done)](
                           absl::StatusOr<std::unique_ptr<env::Connection>> dialled) mutable {
    if (!dialled.ok()) return done(dialled.status());
    const auto host = env::ParseHostPort(address);
    if (!host.ok()) return done(host.status());
    security::TlsConnection::Connect(
        *std::move(dialled), host->host, tls_.Get()->dial_peer, executor_, kTlsHandshakeTimeoutNs,
        [this, address, done = std::move(done)](
            absl::StatusOr<std::unique_ptr<security::TlsConnection>> secured) mutable {
          if (!secured.ok()) {
            return done(absl::Status(secured.status().code(),
                                     base::StrCat("TLS with ", address, ": ",
                                                  base::StdView(secured.status().message()))));
          }
          if (absl::Status node = CheckNodeCertificate(*(*secured)->peer(), nodes_); !node.ok()) {
            return done(std::move(node));
          }
          done(*std::move(secured));
        });
  });
}

}  // namespace cairn::server
