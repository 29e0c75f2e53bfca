// A certificate authority for development and tests: makes itself, and certificates for nodes and
// clients. What it makes is PEM that OpenSSL, CFSSL and gRPC read. Keys are ECDSA P-256.
//
// Who runs cairn for others uses an authority of theirs: this one's key lies in a file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace cairn::security {

struct PemPair {
  std::string certificate;
  std::string key;
};

struct CertificateRequest {
  std::string common_name;
  // Host names and IP addresses under which a server is reached.
  std::vector<std::string> hosts;
  bool server = false;  // extended key usage serverAuth
  bool client = true;   // extended key usage clientAuth
  // The life of it, in seconds since 1970.
  int64_t not_before_s = 0;
  int64_t not_after_s = 0;
};

// A new authority of this name. Errors: INVALID_ARGUMENT for a name that is empty or longer than 64
// bytes (RFC 5280), INTERNAL from OpenSSL.
absl::StatusOr<PemPair> MakeAuthority(const std::string& common_name, int64_t not_before_s,
                                      int64_t not_after_s);

// A certificate signed by `authority`. Errors: as MakeAuthority; INVALID_ARGUMENT for an authority
// that cannot be read, or a host with characters that no host has.
absl::StatusOr<PemPair> IssueCertificate(const PemPair& authority,
                                         const CertificateRequest& request);

// A list with which `authority` takes back the certificates of these serial numbers (hexadecimal,
// as in PeerCertificate), as PEM. Valid from `now_s` for `days` days: who checks against it trusts
// nobody after them. Errors: INVALID_ARGUMENT for an authority that cannot be read, a serial number
// that is none, or less than a day; INTERNAL from OpenSSL.
absl::StatusOr<std::string> MakeRevocationList(const PemPair& authority,
                                               const std::vector<std::string>& serials,
                                               int64_t now_s, int64_t days = 1);

// The serial number (hexadecimal, as in PeerCertificate) of a certificate that this authority has
// signed; both are PEM. Errors: INVALID_ARGUMENT for what is no certificate, that of another
// authority, and that of the authority itself.
absl::StatusOr<std::string> SerialOfIssued(const std::string& authority_certificate,
                                           const std::string& certificate);

}  // namespace cairn::security
