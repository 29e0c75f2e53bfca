// Everything a node needs for TLS, of one reading of its files; and the one of the moment.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "security/tls/node_rule.h"
#include "security/tls/tls_context.h"

namespace cairn::security {

struct TlsIdentityFiles {
  TlsFiles server;  // shown to clients, and whom of them to trust; without certificate: no TLS
  TlsFiles peer;    // shown to other nodes, in both directions; without certificate: no TLS
  NodeRule nodes;
  bool http_without_certificate = false;  // clients of HTTP need none; who shows one has a name

  bool any() const { return !server.certificate.empty() || !peer.certificate.empty(); }
};

struct TlsIdentityTexts {
  TlsTexts server;
  TlsTexts peer;

  friend bool operator==(const TlsIdentityTexts&, const TlsIdentityTexts&) = default;
};

// Errors: those of reading. Blocking.
absl::StatusOr<TlsIdentityTexts> ReadTlsIdentity(env::FileSystem& fs,
                                                 const TlsIdentityFiles& files);

// Immutable. Contexts are nullptr where there is no TLS.
struct TlsIdentity {
  // Of `server`: as it is, for checking clients of gRPC (which makes its own TLS of `texts`), and
  // with the protocol http/1.1.
  std::shared_ptr<const TlsContext> clients;
  std::shared_ptr<const TlsContext> http;
  TlsTexts texts;
  // Of `peer`.
  std::shared_ptr<const TlsContext> accept_peer;
  std::shared_ptr<const TlsContext> dial_peer;

  // Whether clients have to show who they are.
  bool demands_clients() const { return !texts.authorities.empty(); }

  // Errors: those of TlsContext::Make; INVALID_ARGUMENT for a peer certificate that is not a
  // node's, which no other node would talk to.
  static absl::StatusOr<std::shared_ptr<const TlsIdentity>> Make(const TlsIdentityFiles& files,
                                                                 TlsIdentityTexts texts);
};

// Thread-safe.
class CurrentTls {
 public:
  explicit CurrentTls(std::shared_ptr<const TlsIdentity> first) : current_(std::move(first)) {}

  std::shared_ptr<const TlsIdentity> Get() const {
    const base::MutexLock lock(mutex_);
    return current_;
  }
  void Set(std::shared_ptr<const TlsIdentity> next) {
    const base::MutexLock lock(mutex_);
    current_ = std::move(next);
    version_.fetch_add(1, std::memory_order_release);
  }
  // Grows with each Set.
  uint64_t version() const { return version_.load(std::memory_order_acquire); }

 private:
  mutable base::Mutex mutex_;
  std::shared_ptr<const TlsIdentity> current_ CAIRN_GUARDED_BY(mutex_);
  std::atomic<uint64_t> version_{1};
};

}  // namespace cairn::security
