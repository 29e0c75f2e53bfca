#include "security/tls/peer_certificate.h"

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>
#include <string_view>

#include "security/tls/openssl.h"

namespace cairn::security {
namespace {

std::string TextOf(const ASN1_STRING* text) {
  unsigned char* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, text);
  if (size < 0) return "";
  std::string result(reinterpret_cast<char*>(utf8), static_cast<size_t>(size));
  OPENSSL_free(utf8);
  const bool sane = std::none_of(result.begin(), result.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  return sane ? result : "";
}

std::string CommonNameOf(X509* certificate) {
  const X509_NAME* subject = X509_get_subject_name(certificate);
  // The last one is the most specific, and the one that tools show.
  int last = -1;
  for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0;) last = at;
  if (last < 0) return "";
  return TextOf(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, last)));
}

std::vector<std::string> DnsNamesOf(X509* certificate) {
  std::vector<std::string> names;
  auto* all = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; all != nullptr && i < sk_GENERAL_NAME_num(all); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(all, i);
    if (name->type != GEN_DNS) continue;
    if (std::string text = TextOf(name->d.dNSName); !text.empty()) names.push_back(std::move(text));
  }
  GENERAL_NAMES_free(all);
  return names;
}

std::string SerialOf(X509* certificate) {
  BIGNUM* number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr);
  if (number == nullptr) return "";
  char* hex = BN_bn2hex(number);
  std::string serial = hex == nullptr ? "" : hex;
  OPENSSL_free(hex);
  BN_free(number);
  return serial;
}

}  // namespace

PeerCertificate DescribeCertificate(X509* certificate) {
  PeerCertificate result;
  result.common_name = CommonNameOf(certificate);
  result.dns_names = DnsNamesOf(certificate);
  const uint32_t usage = X509_get_extended_key_usage(certificate);  // UINT32_MAX: there is none
  result.has_usage = usage != UINT32_MAX;
  result.may_be_server = (usage & (XKU_SSL_SERVER | XKU_ANYEKU)) != 0;
  result.may_be_client = (usage & (XKU_SSL_CLIENT | XKU_ANYEKU)) != 0;
  std::tm end{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) == 1) {
    result.not_after_s = timegm(&end);
  }
  result.serial = SerialOf(certificate);
  return result;
}

}  // namespace cairn::security
