// SecureDialer: connections to other nodes, over TLS.
#pragma once

#include <string>

#include "consensus/peer_transport.h"
#include "env/executor.h"
#include "security/tls/tls_identity.h"

namespace cairn::server {

// The byte that says "peer" goes in the clear, the rest over TLS: the certificate there must be a
// node's, and of the host that was dialled.
class SecureDialer final : public consensus::PeerDialer {
 public:
  // All of it outlives the dialler; `executor` is that of the network.
  SecureDialer(env::Network& network, env::Executor& executor, const security::CurrentTls& tls,
               security::NodeRule nodes)
      : plain_(network), executor_(executor), tls_(tls), nodes_(std::move(nodes)) {}

  void Dial(const std::string& address, env::Network::ConnectCallback done) override;

 private:
  consensus::PlainDialer plain_;
  env::Executor& executor_;
  const security::CurrentTls& tls_;
  const security::NodeRule nodes_;
};

}  // namespace cairn::server
