#include "security/tls/tls_context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

#include <utility>

#include "base/check.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "env/files.h"
#include "security/tls/openssl.h"

namespace cairn::security {
namespace {

// Longer chains than this are refused: a root, two intermediates and the node's have three.
constexpr int kMaxChainDepth = 6;

absl::Status Refuse(const std::string& file, std::string_view why) {
  return absl::InvalidArgumentError(base::StrCat(file, ": ", why));
}

BioPtr BioOf(std::string_view pem) {
  return BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

// Reads objects until there are no more; false when something else stands there.
template <typename Take>
bool ReadEach(BIO* bio, Take take) {
  ERR_clear_error();
  while (take()) {
  }
  const unsigned long error = ERR_peek_last_error();
  const bool at_end =
      ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  if (at_end) ERR_clear_error();
  return at_end && BIO_eof(bio);
}

// No password: nobody is there to be asked.
int NoPassword(char*, int, int, void*) { return 0; }

int SelectProtocol(SSL*, const unsigned char** selected, unsigned char* size,
                   const unsigned char* offered, unsigned offered_size, void* ours) {
  const auto& known = *static_cast<const std::string*>(ours);
  const int found =
      SSL_select_next_proto(const_cast<unsigned char**>(selected), size,
                            reinterpret_cast<const unsigned char*>(known.data()),
                            static_cast<unsigned>(known.size()), offered, offered_size);
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

}  // namespace

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

absl::StatusOr<TlsTexts> ReadTlsFiles(env::FileSystem& fs, const TlsFiles& files) {
  const auto read = [&](const std::string& file) -> absl::StatusOr<std::string> {
    if (file.empty()) return std::string();
    return env::ReadFile(fs, file, kMaxPemBytes);
  };
  TlsTexts texts;
  CAIRN_ASSIGN_OR_RETURN(texts.certificate, read(files.certificate));
  CAIRN_ASSIGN_OR_RETURN(texts.key, read(files.key));
  CAIRN_ASSIGN_OR_RETURN(texts.authorities, read(files.authorities));
  CAIRN_ASSIGN_OR_RETURN(texts.revocations, read(files.revocations));
  return texts;
}

absl::StatusOr<std::shared_ptr<const TlsContext>> TlsContext::Load(env::FileSystem& fs,
                                                                   const TlsFiles& files,
                                                                   const TlsOptions& options) {
  CAIRN_ASSIGN_OR_RETURN(const TlsTexts texts, ReadTlsFiles(fs, files));
  return Make(files, texts, options);
}

absl::StatusOr<std::shared_ptr<const TlsContext>> TlsContext::Make(const TlsFiles& files,
                                                                   const TlsTexts& texts,
                                                                   const TlsOptions& options) {
  if (files.certificate.empty() != files.key.empty()) {
    return absl::InvalidArgumentError("a certificate and its key are given together, or neither");
  }
  if (options.role == TlsRole::kServer && files.certificate.empty()) {
    return absl::InvalidArgumentError("a server needs a certificate and its key");
  }
  if (files.authorities.empty() && !files.revocations.empty()) {
    return Refuse(files.revocations, "a revocation list needs the authorities whose list it is");
  }
  SSL_CTX* raw =
      SSL_CTX_new(options.role == TlsRole::kServer ? TLS_server_method() : TLS_client_method());
  CAIRN_CHECK(raw != nullptr, "OpenSSL has no memory for a context");
  const std::shared_ptr<TlsContext> context(new TlsContext(options, raw));
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_options(raw, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                               SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_num_tickets(raw, 0);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_verify_depth(raw, kMaxChainDepth);
  SSL_CTX_set_default_passwd_cb(raw, NoPassword);

  if (!files.certificate.empty()) {
    CAIRN_RETURN_IF_ERROR(context->UseCertificate(files.certificate, texts.certificate));
    CAIRN_RETURN_IF_ERROR(context->UseKey(files, texts.key));
  }
  if (!files.authorities.empty()) {
    CAIRN_RETURN_IF_ERROR(context->TrustAuthorities(files.authorities, texts.authorities));
  }
  if (!files.revocations.empty()) {
    CAIRN_RETURN_IF_ERROR(context->UseRevocations(files.revocations, texts.revocations));
  }
  CAIRN_RETURN_IF_ERROR(context->OfferProtocols());
  if (options.role == TlsRole::kClient) {
    SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);
    if (files.authorities.empty() && SSL_CTX_set_default_verify_paths(raw) != 1) {
      return absl::InternalError(
          base::StrCat("the machine's authorities cannot be read: ", TakeOpensslError()));
    }
  } else if (!files.authorities.empty()) {
    const int demand = options.client_may_be_unknown ? 0 : SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(raw, SSL_VERIFY_PEER | demand, nullptr);
  }
  return context;
}

absl::StatusOr<PeerCertificate> TlsContext::CheckClient(std::string_view pem) const {
  const BioPtr bio = BioOf(pem);
  const CertificatePtr leaf(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  const ChainPtr chain(sk_X509_new_null());
  const StoreCheckPtr check(X509_STORE_CTX_new());
  CAIRN_CHECK(chain != nullptr && check != nullptr, "OpenSSL has no memory for a check");
  while (X509* one = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    if (sk_X509_push(chain.get(), one) == 0) X509_free(one);
  }
  ERR_clear_error();
  if (leaf == nullptr) return absl::UnauthenticatedError("the certificate cannot be read");
  if (X509_STORE_CTX_init(check.get(), SSL_CTX_get_cert_store(context_), leaf.get(), chain.get()) !=
          1 ||
      X509_STORE_CTX_set_default(check.get(), "ssl_client") != 1) {
    return absl::UnauthenticatedError(
        base::StrCat("the certificate cannot be checked: ", TakeOpensslError()));
  }
  X509_VERIFY_PARAM_set_depth(X509_STORE_CTX_get0_param(check.get()), kMaxChainDepth);
  if (X509_verify_cert(check.get()) != 1) {
    return absl::UnauthenticatedError(
        base::StrCat("the certificate is not accepted: ",
                     X509_verify_cert_error_string(X509_STORE_CTX_get_error(check.get()))));
  }
  return DescribeCertificate(leaf.get());
}

absl::Status TlsContext::UseCertificate(const std::string& file, const std::string& pem) {
  const BioPtr bio = BioOf(pem);
  bool leaf = true;
  std::string error;
  const bool read = ReadEach(bio.get(), [&] {
    CertificatePtr one(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (one == nullptr) return false;
    const bool is_leaf = std::exchange(leaf, false);
    if (is_leaf) certificate_ = DescribeCertificate(one.get());
    const int used = is_leaf ? SSL_CTX_use_certificate(context_, one.get())
                             : SSL_CTX_add1_chain_cert(context_, one.get());
    if (used != 1 && error.empty()) error = TakeOpensslError();
    return used == 1;
  });
  if (!error.empty()) return Refuse(file, base::StrCat("the certificate cannot be used: ", error));
  if (leaf || !read) {
    return Refuse(file, base::StrCat(leaf ? "holds no certificate in PEM form: "
                                          : "what follows its certificates cannot be read: ",
                                     TakeOpensslError()));
  }
  return absl::OkStatus();
}

absl::Status TlsContext::UseKey(const TlsFiles& files, const std::string& pem) {
  const BioPtr bio = BioOf(pem);
  const KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassword, nullptr));
  if (key == nullptr) {
    return Refuse(files.key, base::StrCat("holds no private key in PEM form without a password: ",
                                          TakeOpensslError()));
  }
  if (SSL_CTX_use_PrivateKey(context_, key.get()) != 1 ||
      SSL_CTX_check_private_key(context_) != 1) {
    return Refuse(files.key, base::StrCat("is not the key of the certificate in ",
                                          files.certificate, ": ", TakeOpensslError()));
  }
  return absl::OkStatus();
}

absl::Status TlsContext::TrustAuthorities(const std::string& file, const std::string& pem) {
  const BioPtr bio = BioOf(pem);
  X509_STORE* store = SSL_CTX_get_cert_store(context_);
  int count = 0;
  const bool read = ReadEach(bio.get(), [&] {
    const CertificatePtr one(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (one == nullptr) return false;
    ++count;
    // Tells clients which certificate to choose.
    if (options_.role == TlsRole::kServer) SSL_CTX_add_client_CA(context_, one.get());
    return X509_STORE_add_cert(store, one.get()) == 1;
  });
  if (count > 0 && read) return absl::OkStatus();
  return Refuse(file, base::StrCat(count == 0 ? "holds no certificate in PEM form: "
                                              : "cannot be read to its end: ",
                                   TakeOpensslError()));
}

absl::Status TlsContext::UseRevocations(const std::string& file, const std::string& pem) {
  const BioPtr bio = BioOf(pem);
  X509_STORE* store = SSL_CTX_get_cert_store(context_);
  int count = 0;
  const bool read = ReadEach(bio.get(), [&] {
    X509_CRL* one = PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr);
    if (one == nullptr) return false;
    ++count;
    const bool added = X509_STORE_add_crl(store, one) == 1;
    X509_CRL_free(one);
    return added;
  });
  if (count == 0 || !read) {
    return Refuse(file, base::StrCat(count == 0 ? "holds no revocation list in PEM form: "
                                                : "cannot be read to its end: ",
                                     TakeOpensslError()));
  }
  X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
  return absl::OkStatus();
}

absl::Status TlsContext::OfferProtocols() {
  for (const std::string& protocol : options_.protocols) {
    if (protocol.empty() || protocol.size() > 255) {
      return absl::InvalidArgumentError(
          base::StrCat("a protocol's name has 1 to 255 bytes, not \"", protocol, "\""));
    }
    wire_protocols_ += static_cast<char>(protocol.size());
    wire_protocols_ += protocol;
  }
  if (wire_protocols_.empty()) return absl::OkStatus();
  if (options_.role == TlsRole::kServer) {
    SSL_CTX_set_alpn_select_cb(context_, SelectProtocol, &wire_protocols_);
  } else if (SSL_CTX_set_alpn_protos(context_,
                                     reinterpret_cast<const unsigned char*>(wire_protocols_.data()),
                                     static_cast<unsigned>(wire_protocols_.size())) != 0) {
    return absl::InternalError(base::StrCat("ALPN: ", TakeOpensslError()));
  }
  return absl::OkStatus();
}

}  // namespace cairn::security
