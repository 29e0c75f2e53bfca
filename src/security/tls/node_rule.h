// Which certificates are those of nodes. A client's certificate is signed by the same authority,
// often, and must neither speak Raft nor pass for a node.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "security/tls/peer_certificate.h"

namespace cairn::security {

struct NodeRule {
  // Patterns of names ('*' stands for any characters but a dot, as in certificates). When there are
  // some, the common name or a DNS name has to match one of them.
  std::vector<std::string> names;
};

// A node's certificate states in its extended key usage that it may be server and client both: a
// node is both. One without that extension, which may be anything, is a node's only when `names`
// has it. Errors: UNAUTHENTICATED that says what is missing.
absl::Status CheckNodeCertificate(const PeerCertificate& certificate, const NodeRule& rule);

}  // namespace cairn::security
