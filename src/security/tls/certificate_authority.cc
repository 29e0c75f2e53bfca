#include "security/tls/certificate_authority.h"

#include <openssl/bn.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <array>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "security/tls/openssl.h"
#include "security/tls/peer_certificate.h"

namespace cairn::security {
namespace {

constexpr size_t kMaxNameBytes = 64;  // RFC 5280 appendix A, ub-common-name
constexpr int64_t kDayS = int64_t{24} * 3600;

using ListPtr = std::unique_ptr<X509_CRL, Freed<X509_CRL_free>>;
using NumberPtr = std::unique_ptr<BIGNUM, Freed<BN_free>>;
using SerialPtr = std::unique_ptr<ASN1_INTEGER, Freed<ASN1_INTEGER_free>>;
using TimePtr = std::unique_ptr<ASN1_TIME, Freed<ASN1_TIME_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>>;

absl::Status Failed(std::string_view what) {
  return absl::InternalError(base::StrCat(what, ": ", TakeOpensslError()));
}

absl::Status CheckName(const std::string& name) {
  bool sane = !name.empty() && name.size() <= kMaxNameBytes;
  for (const char c : name) sane = sane && static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
  if (sane) return absl::OkStatus();
  return absl::InvalidArgumentError(base::StrCat("a common name has 1 to ", kMaxNameBytes,
                                                 " bytes without control characters, not \"", name,
                                                 "\""));
}

// "DNS:a,IP:127.0.0.1". Commas and colons would be read as more of them.
absl::StatusOr<std::string> AlternativeNames(const std::vector<std::string>& hosts) {
  std::string names;
  for (const std::string& host : hosts) {
    const bool address = IsAddress(host);
    bool sane = !host.empty();
    for (const char c : host) {
      sane = sane && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '.' || c == '_' || c == '*');
    }
    if (!sane && !address) {
      return absl::InvalidArgumentError(
          base::StrCat("\"", host, "\" is neither a host name nor an IP address"));
    }
    names += base::StrCat(names.empty() ? "" : ",", address ? "IP:" : "DNS:", host);
  }
  return names;
}

absl::Status AddExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  if (extension == nullptr || X509_add_ext(certificate, extension.get(), -1) != 1) {
    return Failed(base::StrCat("extension ", value));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ToPem(auto write) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr || write(bio.get()) != 1) return Failed("writing PEM");
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

absl::StatusOr<PemPair> ToPem(X509* certificate, EVP_PKEY* key) {
  PemPair pair;
  CAIRN_ASSIGN_OR_RETURN(pair.certificate,
                         ToPem([&](BIO* to) { return PEM_write_bio_X509(to, certificate); }));
  CAIRN_ASSIGN_OR_RETURN(pair.key, ToPem([&](BIO* to) {
                           return PEM_write_bio_PrivateKey(to, key, nullptr, nullptr, 0, nullptr,
                                                           nullptr);
                         }));
  return pair;
}

absl::StatusOr<CertificatePtr> ReadCertificate(const std::string& pem) {
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  CertificatePtr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (certificate != nullptr) return certificate;
  return absl::InvalidArgumentError(base::StrCat("no certificate: ", TakeOpensslError()));
}

struct Authority {
  CertificatePtr certificate;
  KeyPtr key;
};

absl::StatusOr<Authority> Read(const PemPair& pair) {
  const BioPtr certificate(
      BIO_new_mem_buf(pair.certificate.data(), static_cast<int>(pair.certificate.size())));
  const BioPtr key(BIO_new_mem_buf(pair.key.data(), static_cast<int>(pair.key.size())));
  Authority authority{
      CertificatePtr(PEM_read_bio_X509(certificate.get(), nullptr, nullptr, nullptr)),
      KeyPtr(PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr))};
  if (authority.certificate == nullptr || authority.key == nullptr ||
      X509_check_private_key(authority.certificate.get(), authority.key.get()) != 1) {
    return absl::InvalidArgumentError(
        base::StrCat("the authority's certificate and key cannot be used: ", TakeOpensslError()));
  }
  return authority;
}

// Everything but what the two kinds differ in; not signed yet.
absl::StatusOr<CertificatePtr> Begin(const std::string& common_name, EVP_PKEY* key,
                                     int64_t not_before_s, int64_t not_after_s) {
  CAIRN_RETURN_IF_ERROR(CheckName(common_name));
  CertificatePtr certificate(X509_new());
  std::array<unsigned char, 16> serial{};
  if (RAND_bytes(serial.data(), serial.size()) != 1) return Failed("a serial number");
  serial[0] &= 0x7f;  // positive, RFC 5280 section 4.1.2.2
  const NumberPtr number(BN_bin2bn(serial.data(), serial.size(), nullptr));
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  const bool made =
      X509_set_version(certificate.get(), X509_VERSION_3) == 1 &&
      BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate.get())) != nullptr &&
      ASN1_TIME_set(X509_getm_notBefore(certificate.get()), not_before_s) != nullptr &&
      ASN1_TIME_set(X509_getm_notAfter(certificate.get()), not_after_s) != nullptr &&
      X509_set_pubkey(certificate.get(), key) == 1 &&
      X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>(common_name.data()),
                                 static_cast<int>(common_name.size()), -1, 0) == 1;
  if (!made) return Failed("a certificate");
  return certificate;
}

}  // namespace

absl::StatusOr<PemPair> MakeAuthority(const std::string& common_name, int64_t not_before_s,
                                      int64_t not_after_s) {
  const KeyPtr key(EVP_EC_gen("P-256"));
  if (key == nullptr) return Failed("a key");
  CAIRN_ASSIGN_OR_RETURN(const CertificatePtr certificate,
                         Begin(common_name, key.get(), not_before_s, not_after_s));
  X509* self = certificate.get();
  if (X509_set_issuer_name(self, X509_get_subject_name(self)) != 1) return Failed("an issuer");
  CAIRN_RETURN_IF_ERROR(AddExtension(self, self, NID_basic_constraints, "critical,CA:TRUE"));
  CAIRN_RETURN_IF_ERROR(AddExtension(self, self, NID_key_usage, "critical,keyCertSign,cRLSign"));
  CAIRN_RETURN_IF_ERROR(AddExtension(self, self, NID_subject_key_identifier, "hash"));
  if (X509_sign(self, key.get(), EVP_sha256()) == 0) return Failed("signing");
  return ToPem(self, key.get());
}

absl::StatusOr<PemPair> IssueCertificate(const PemPair& authority,
                                         const CertificateRequest& request) {
  CAIRN_ASSIGN_OR_RETURN(const Authority issuer, Read(authority));
  CAIRN_ASSIGN_OR_RETURN(const std::string names, AlternativeNames(request.hosts));
  const KeyPtr key(EVP_EC_gen("P-256"));
  if (key == nullptr) return Failed("a key");
  CAIRN_ASSIGN_OR_RETURN(
      const CertificatePtr certificate,
      Begin(request.common_name, key.get(), request.not_before_s, request.not_after_s));
  X509* self = certificate.get();
  X509* signer = issuer.certificate.get();
  if (X509_set_issuer_name(self, X509_get_subject_name(signer)) != 1) return Failed("an issuer");
  CAIRN_RETURN_IF_ERROR(AddExtension(self, signer, NID_basic_constraints, "critical,CA:FALSE"));
  CAIRN_RETURN_IF_ERROR(AddExtension(self, signer, NID_key_usage, "critical,digitalSignature"));
  const std::string usage =
      base::StrCat(request.server ? "serverAuth" : "", request.server && request.client ? "," : "",
                   request.client ? "clientAuth" : "");
  if (!usage.empty()) CAIRN_RETURN_IF_ERROR(AddExtension(self, signer, NID_ext_key_usage, usage));
  CAIRN_RETURN_IF_ERROR(AddExtension(self, signer, NID_authority_key_identifier, "keyid"));
  if (!names.empty()) {
    CAIRN_RETURN_IF_ERROR(AddExtension(self, signer, NID_subject_alt_name, names));
  }
  if (X509_sign(self, issuer.key.get(), EVP_sha256()) == 0) return Failed("signing");
  return ToPem(self, key.get());
}

absl::StatusOr<std::string> MakeRevocationList(const PemPair& authority,
                                               const std::vector<std::string>& serials,
                                               int64_t now_s, int64_t days) {
  if (days < 1) return absl::InvalidArgumentError("a revocation list is valid for a day at least");
  CAIRN_ASSIGN_OR_RETURN(const Authority issuer, Read(authority));
  const ListPtr list(X509_CRL_new());
  const TimePtr now(ASN1_TIME_set(nullptr, now_s));
  const TimePtr next(ASN1_TIME_set(nullptr, now_s + days * kDayS));
  bool made =
      X509_CRL_set_version(list.get(), X509_CRL_VERSION_2) == 1 &&
      X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(issuer.certificate.get())) == 1 &&
      X509_CRL_set1_lastUpdate(list.get(), now.get()) == 1 &&
      X509_CRL_set1_nextUpdate(list.get(), next.get()) == 1;
  for (const std::string& serial : serials) {
    BIGNUM* read = nullptr;
    if (BN_hex2bn(&read, serial.c_str()) != static_cast<int>(serial.size()) || serial.empty()) {
      BN_free(read);
      return absl::InvalidArgumentError(
          base::StrCat("a serial number is hexadecimal, not \"", serial, "\""));
    }
    const NumberPtr number(read);
    const SerialPtr value(BN_to_ASN1_INTEGER(number.get(), nullptr));
    X509_REVOKED* revoked = X509_REVOKED_new();
    made = made && X509_REVOKED_set_serialNumber(revoked, value.get()) == 1 &&
           X509_REVOKED_set_revocationDate(revoked, now.get()) == 1 &&
           X509_CRL_add0_revoked(list.get(), revoked) == 1;
  }
  made = made && X509_CRL_sort(list.get()) == 1 &&
         X509_CRL_sign(list.get(), issuer.key.get(), EVP_sha256()) != 0;
  if (!made) return Failed("a revocation list");
  return ToPem([&](BIO* to) { return PEM_write_bio_X509_CRL(to, list.get()); });
}

absl::StatusOr<std::string> SerialOfIssued(const std::string& authority_certificate,
                                           const std::string& certificate) {
  CAIRN_ASSIGN_OR_RETURN(const CertificatePtr issuer, ReadCertificate(authority_certificate));
  CAIRN_ASSIGN_OR_RETURN(const CertificatePtr issued, ReadCertificate(certificate));
  if (X509_cmp(issuer.get(), issued.get()) == 0) {
    return absl::InvalidArgumentError("the certificate of the authority itself");
  }
  EVP_PKEY* key = X509_get0_pubkey(issuer.get());
  if (key == nullptr || X509_verify(issued.get(), key) != 1) {
    return absl::InvalidArgumentError(
        base::StrCat("a certificate of another authority: ", TakeOpensslError()));
  }
  return DescribeCertificate(issued.get()).serial;
}

}  // namespace cairn::security
