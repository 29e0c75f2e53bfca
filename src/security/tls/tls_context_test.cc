#include "security/tls/tls_context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "security/tls/tls_testing.h"

namespace cairn::security {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class TlsContextTest : public testing::Test {
 protected:
  std::string Error(const TlsFiles& files, TlsRole role = TlsRole::kServer) {
    const auto loaded = lab_.Load(files, role);
    EXPECT_FALSE(loaded.ok());
    return std::string(loaded.status().message());
  }
  TlsLab lab_;
};

TEST_F(TlsContextTest, TellsWhatItsCertificateSays) {
  const auto context = lab_.Load(lab_.IssueNode("node-1"), TlsRole::kServer);
  ASSERT_TRUE(context.ok()) << context.status();
  const PeerCertificate& own = (*context)->certificate();
  EXPECT_EQ(own.common_name, "node-1");
  EXPECT_THAT(own.dns_names, ElementsAre("b"));
  EXPECT_TRUE(own.may_be_server);
  EXPECT_TRUE(own.may_be_client);
  EXPECT_EQ(own.not_after_s, lab_.now_s() + kDayS);
  const auto client = lab_.Load(lab_.IssueClient("alice"), TlsRole::kClient);
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_FALSE((*client)->certificate().may_be_server);
}

TEST_F(TlsContextTest, NamesTheFileThatIsWrong) {
  TlsFiles files = lab_.IssueNode("node-1");
  const TlsFiles other = lab_.IssueNode("node-2");
  lab_.Put("empty.pem", "");
  lab_.Put("noise.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");

  TlsFiles wrong = files;
  wrong.key = other.key;
  EXPECT_THAT(Error(wrong),
              HasSubstr(other.key + ": is not the key of the certificate in " + files.certificate));
  wrong = files;
  wrong.certificate = "empty.pem";
  EXPECT_THAT(Error(wrong), HasSubstr("empty.pem: holds no certificate in PEM form"));
  wrong.certificate = "noise.pem";
  EXPECT_THAT(Error(wrong), HasSubstr("noise.pem: "));
  wrong = files;
  wrong.key = files.certificate;
  EXPECT_THAT(Error(wrong), HasSubstr("holds no private key in PEM form"));
  wrong = files;
  wrong.authorities = files.key;
  EXPECT_THAT(Error(wrong), HasSubstr(files.key + ": holds no certificate in PEM form"));
  wrong = files;
  wrong.authorities = "missing.pem";
  EXPECT_THAT(Error(wrong), HasSubstr("missing.pem"));
  wrong = files;
  wrong.revocations = files.authorities;
  EXPECT_THAT(Error(wrong), HasSubstr("holds no revocation list"));
  wrong = files;
  wrong.key = "";
  EXPECT_THAT(Error(wrong), HasSubstr("given together"));
  EXPECT_THAT(Error({}), HasSubstr("a server needs a certificate"));
}

TEST_F(TlsContextTest, RefusesNamesThatNobodyShouldHave) {
  EXPECT_FALSE(IssueCertificate(lab_.authority(), lab_.Request("")).ok());
  EXPECT_FALSE(IssueCertificate(lab_.authority(), lab_.Request("a\nb")).ok());
  EXPECT_FALSE(IssueCertificate(lab_.authority(), lab_.Request(std::string(65, 'a'))).ok());
  CertificateRequest request = lab_.Request("a");
  request.hosts = {"good", "IP:1.2.3.4,DNS:evil"};
  EXPECT_THAT(IssueCertificate(lab_.authority(), request).status().message(),
              HasSubstr("neither a host name nor an IP address"));
}

TEST_F(TlsContextTest, EveryTruncationOfAFileIsRefusedOrIsWhole) {
  const TlsFiles files = lab_.IssueNode("node-1");
  const std::string key = env::ReadFile(lab_.fs(), files.key, kMaxPemBytes).value();
  for (size_t size = 0; size + 1 < key.size(); ++size) {
    TlsFiles cut = files;
    cut.key = "cut.pem";
    lab_.Put("cut.pem", key.substr(0, size));
    EXPECT_FALSE(lab_.Load(cut, TlsRole::kServer).ok()) << size;
  }
}

}  // namespace
}  // namespace cairn::security
