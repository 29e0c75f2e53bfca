// What one end of a TLS connection shows and whom it trusts, as read from files.
//
// Immutable: new files make a new context, and connections keep the one they began with. TLS 1.2 at
// least; no compression, no renegotiation, no session tickets, so that every connection proves
// itself anew. Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "env/file_system.h"
#include "security/tls/peer_certificate.h"

typedef struct ssl_ctx_st SSL_CTX;

namespace cairn::security {

// PEM files; "" for none. The certificate's file may hold the chain behind it.
struct TlsFiles {
  std::string certificate;
  std::string key;
  std::string authorities;  // who signs the certificates of the other side
  std::string revocations;  // certificate revocation lists of those authorities

  friend bool operator==(const TlsFiles&, const TlsFiles&) = default;
};
// A file of certificates or keys is smaller than this.
inline constexpr uint64_t kMaxPemBytes = 1 << 20;

// What the files hold; "" where there is none.
struct TlsTexts {
  std::string certificate;
  std::string key;
  std::string authorities;
  std::string revocations;

  friend bool operator==(const TlsTexts&, const TlsTexts&) = default;
};
// Errors: those of reading. Blocking.
absl::StatusOr<TlsTexts> ReadTlsFiles(env::FileSystem& fs, const TlsFiles& files);

enum class TlsRole { kServer, kClient };

struct TlsOptions {
  TlsRole role = TlsRole::kServer;
  // Protocols for ALPN (RFC 7301), the preferred first. A server that has some refuses a client
  // that offers others only; one that offers none is served.
  std::vector<std::string> protocols = {};
  // A server with authorities lets in a client that shows no certificate, too: TlsConnection::peer
  // tells. One that shows a bad one it refuses all the same.
  bool client_may_be_unknown = false;
};

class TlsContext {
 public:
  // Checks what the files hold: certificate and key belong together, and all can be used. A server
  // with authorities demands a certificate of every client, or see client_may_be_unknown; a client
  // without authorities trusts those of the machine. Errors: INVALID_ARGUMENT naming the file and
  // what is wrong with it.
  static absl::StatusOr<std::shared_ptr<const TlsContext>> Make(const TlsFiles& files,
                                                                const TlsTexts& texts,
                                                                const TlsOptions& options);
  // ReadTlsFiles and Make. Blocking.
  static absl::StatusOr<std::shared_ptr<const TlsContext>> Load(env::FileSystem& fs,
                                                                const TlsFiles& files,
                                                                const TlsOptions& options);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  TlsRole role() const { return options_.role; }
  // Of this end; without a certificate: empty.
  const PeerCertificate& certificate() const { return certificate_; }
  // Whether a client with this certificate (PEM, the chain behind it) is let in now, by the
  // authorities and their lists; and what the certificate says. For connections whose handshake is
  // long ago, or was somebody else's. Errors: UNAUTHENTICATED.
  absl::StatusOr<PeerCertificate> CheckClient(std::string_view pem) const;
  SSL_CTX* get() const { return context_; }

 private:
  TlsContext(TlsOptions options, SSL_CTX* context)
      : options_(std::move(options)), context_(context) {}

  absl::Status UseCertificate(const std::string& file, const std::string& pem);
  absl::Status UseKey(const TlsFiles& files, const std::string& pem);
  absl::Status TrustAuthorities(const std::string& file, const std::string& pem);
  absl::Status UseRevocations(const std::string& file, const std::string& pem);
  absl::Status OfferProtocols();

  const TlsOptions options_;
  SSL_CTX* const context_;
  std::string wire_protocols_;  // as ALPN has them
  PeerCertificate certificate_;
};

}  // namespace cairn::security
