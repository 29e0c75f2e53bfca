// What a certificate says of whoever shows it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

typedef struct x509_st X509;

namespace cairn::security {

struct PeerCertificate {
  // The subject of authorisation; "" when the certificate has none.
  std::string common_name;
  std::vector<std::string> dns_names;
  // By its extended key usage (RFC 5280 section 4.2.1.12); both are true when it has none.
  bool has_usage = false;
  bool may_be_server = true;
  bool may_be_client = true;
  int64_t not_after_s = 0;  // since 1970
  std::string serial;       // hexadecimal

  friend bool operator==(const PeerCertificate&, const PeerCertificate&) = default;
};

// Names with a NUL or a control character, which no sane authority signs, read as "".
PeerCertificate DescribeCertificate(X509* certificate);

}  // namespace cairn::security
