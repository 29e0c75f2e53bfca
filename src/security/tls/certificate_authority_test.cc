#include "security/tls/certificate_authority.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>

#include "security/tls/openssl.h"
#include "security/tls/tls_testing.h"

namespace cairn::security {
namespace {

using testing::HasSubstr;

using ListPtr = std::unique_ptr<X509_CRL, Freed<X509_CRL_free>>;

std::string ErrorOf(const absl::StatusOr<std::string>& result) {
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(result.status().message());
}

TEST(CertificateAuthorityTest, ARevocationListIsValidForAsManyDaysAsAsked) {
  const TlsLab lab;
  for (const int64_t days : {1, 30}) {
    const std::string pem = MakeRevocationList(lab.authority(), {"0A"}, lab.now_s(), days).value();
    const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    const ListPtr list(PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr));
    ASSERT_NE(list, nullptr);
    int apart_days = 0;
    int apart_s = 0;
    ASSERT_EQ(ASN1_TIME_diff(&apart_days, &apart_s, X509_CRL_get0_lastUpdate(list.get()),
                             X509_CRL_get0_nextUpdate(list.get())),
              1);
    EXPECT_EQ(apart_days, days);
    EXPECT_EQ(apart_s, 0);
  }
  EXPECT_THAT(ErrorOf(MakeRevocationList(lab.authority(), {}, lab.now_s(), 0)),
              HasSubstr("a day at least"));
}

TEST(CertificateAuthorityTest, TellsTheSerialNumbersOfItsOwnCertificatesOnly) {
  const TlsLab lab;
  const TlsLab other("other");
  const PemPair alice = IssueCertificate(lab.authority(), lab.Request("alice")).value();
  const std::string& authority = lab.authority().certificate;
  const auto serial = SerialOfIssued(authority, alice.certificate);
  ASSERT_TRUE(serial.ok()) << serial.status();
  EXPECT_GE(serial->size(), 16u);
  EXPECT_EQ(serial->find_first_not_of("0123456789ABCDEF"), std::string::npos);

  EXPECT_THAT(ErrorOf(SerialOfIssued(other.authority().certificate, alice.certificate)),
              HasSubstr("of another authority"));
  EXPECT_THAT(ErrorOf(SerialOfIssued(authority, authority)), HasSubstr("the authority itself"));
  EXPECT_THAT(ErrorOf(SerialOfIssued(authority, alice.key)), HasSubstr("no certificate"));
  EXPECT_THAT(ErrorOf(SerialOfIssued(authority, "")), HasSubstr("no certificate"));
}

}  // namespace
}  // namespace cairn::security
