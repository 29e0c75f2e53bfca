// TLS on the port: who is let in by which protocol, and what happens when files change.
#include <atomic>
#include <functional>
#include <future>
#include <thread>
#include <vector>

#include "consensus/stranger_testing.h"
#include "env/raw_client.h"
#include "server/secure_fixture.h"

namespace cairn::server {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr char kEveryoneProduces[] = "p, alice, *, produce, allow\n";

class TlsTest : public SecureFixture {
 protected:
  TlsTest()
      : other_authority_(security::MakeAuthority("other", now_s_ - kDayS, now_s_ + kDayS).value()) {
  }

  void SetUp() override {
    WritePolicy(kEveryoneProduces);
    StartServer();
  }

  // Whether each protocol of the port lets a client with these files in.
  bool GrpcLetsIn(const security::TlsFiles& files) { return ProduceOver(ChannelOf(files)).ok(); }
  bool HttpLetsIn(const security::TlsFiles& files) {
    const std::string answer = GetOver(files, "/livez");
    EXPECT_TRUE(answer.empty() || answer.starts_with("HTTP/1.1 200 OK")) << answer;
    return !answer.empty();
  }
  // A node that is let in is told that it is of another cluster.
  bool PeersLetIn(const security::TlsFiles& files) {
    return !Converse(files, {}, std::string(1, consensus::kPeerFirstByte),
                     consensus::StrangersHello())
                .empty();
  }

  security::TlsFiles WithoutCertificate() const { return {.authorities = File("ca.pem")}; }

  const security::PemPair other_authority_;
};

TEST_F(TlsTest, LetsInWhoShowsACertificateOfTheAuthority) {
  const security::TlsFiles alice = Issue(ClientRequest("alice"));
  EXPECT_TRUE(GrpcLetsIn(alice));
  EXPECT_TRUE(HttpLetsIn(alice));
  EXPECT_TRUE(PeersLetIn(Issue(NodeRequest("node-2"))));
}

TEST_F(TlsTest, NoBadCertificateIsLetInByAnyProtocol) {
  security::CertificateRequest expired = NodeRequest("alice");
  expired.not_after_s = now_s_ - 60;
  security::CertificateRequest early = NodeRequest("alice");
  early.not_before_s = now_s_ + 3600;
  security::CertificateRequest server_only = NodeRequest("alice");
  server_only.client = false;
  const security::PemPair self =
      security::MakeAuthority("alice", now_s_ - kDayS, now_s_ + kDayS).value();
  Write("self.pem", self.certificate);
  Write("self-key.pem", self.key);

  const std::vector<std::pair<std::string, security::TlsFiles>> bad = {
      {"none", WithoutCertificate()},
      {"self-signed",
       {.certificate = File("self.pem"),
        .key = File("self-key.pem"),
        .authorities = File("ca.pem")}},
      {"of another authority", Issue(NodeRequest("alice"), other_authority_)},
      {"expired", Issue(expired)},
      {"not valid yet", Issue(early)},
      {"for servers only", Issue(server_only)},
  };
  for (const auto& [kind, files] : bad) {
    EXPECT_FALSE(GrpcLetsIn(files)) << kind;
    EXPECT_FALSE(HttpLetsIn(files)) << kind;
    EXPECT_FALSE(PeersLetIn(files)) << kind;
  }
  EXPECT_FALSE(PeersLetIn(Issue(ClientRequest("alice")))) << "a client's";
  EXPECT_THAT(Logged(), HasSubstr("a client tried to speak as a node"));
}

class ProbeTest : public TlsTest {
 protected:
  ServerConfig Config() override {
    ServerConfig config = TlsTest::Config();
    config.health_without_certificate = true;
    return config;
  }
};

TEST_F(ProbeTest, ProbesWithoutACertificateLearnHealthAndNothingElse) {
  const security::TlsFiles nobody = WithoutCertificate();
  EXPECT_THAT(GetOver(nobody, "/livez"), StartsWith("HTTP/1.1 200 OK"));
  EXPECT_THAT(GetOver(nobody, "/readyz"), StartsWith("HTTP/1.1 200 OK"));
  EXPECT_THAT(GetOver(nobody, "/metrics"), StartsWith("HTTP/1.1 401 "));
  EXPECT_FALSE(GrpcLetsIn(nobody));
  EXPECT_FALSE(PeersLetIn(nobody));
  // Who shows a certificate that is not to be trusted is not let in as nobody.
  EXPECT_FALSE(HttpLetsIn(Issue(ClientRequest("alice"), other_authority_)));
}

class ProbeWithoutPolicyTest : public ProbeTest {
 protected:
  ServerConfig Config() override {
    ServerConfig config = ProbeTest::Config();
    config.acl_model_file = "";
    config.acl_policy_file = "";
    return config;
  }
};

TEST_F(ProbeWithoutPolicyTest, WhoShowsNoNameLearnsNoMetrics) {
  EXPECT_THAT(GetOver(WithoutCertificate(), "/metrics"), StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(GetOver(Issue(ClientRequest("alice")), "/metrics"), StartsWith("HTTP/1.1 200 OK"));
}

TEST_F(TlsTest, ClearTextIsNotServed) {
  for (const std::string& opening :
       {std::string("GET /livez HTTP/1.1\r\n\r\n"),
        std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", 33)}) {
    env::RawClient client(server_->address());
    client.Send(opening);
    EXPECT_EQ(client.ReceiveAll(), "");
  }
}

TEST_F(TlsTest, AHelloWithoutOurProtocolsIsNotServed) {
  EXPECT_EQ(Converse(Issue(ClientRequest("alice")), {"imap"}, "", "x"), "");
  EXPECT_EQ(Converse(Issue(ClientRequest("alice")), {}, "", "x"), "");
}

TEST_F(TlsTest, BrowsersThatAlsoOfferHttp2GetHttp1) {
  EXPECT_THAT(Converse(Issue(ClientRequest("alice")), {"h2", "http/1.1"}, "",
                       "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
              StartsWith("HTTP/1.1 200 OK"));
}

class RevocationTest : public TlsTest {
 protected:
  ServerConfig Config() override {
    ServerConfig config = SecureFixture::Config();
    config.server_tls.revocations = config.peer_tls.revocations = File("crl.pem");
    return config;
  }
  void SetUp() override {
    Revoke({});
    TlsTest::SetUp();
  }
  void Revoke(const std::vector<std::string>& serials) {
    Replace("crl.pem", security::MakeRevocationList(authority_, serials, now_s_).value());
  }
  std::string SerialOf(const security::TlsFiles& files) {
    return security::TlsContext::Load(*fs_, files, {.role = security::TlsRole::kClient})
        .value()
        ->certificate()
        .serial;
  }
};

TEST_F(RevocationTest, WhoIsRevokedIsLetInNoMoreAndItsOpenConnectionIsNotBelieved) {
  const security::TlsFiles alice = Issue(ClientRequest("alice"));
  const security::TlsFiles node = Issue(NodeRequest("node-2"));
  const auto open = ChannelOf(alice);
  ASSERT_TRUE(ProduceOver(open).ok());
  ASSERT_TRUE(HttpLetsIn(alice));
  ASSERT_TRUE(PeersLetIn(node));

  Revoke({SerialOf(alice), SerialOf(node)});
  server_->Reload(Config());
  ASSERT_TRUE(Await([&] { return Logged().find("certificates reloaded") != std::string::npos; }));
  EXPECT_EQ(ProduceOver(open).code(), absl::StatusCode::kUnauthenticated);
  EXPECT_FALSE(GrpcLetsIn(alice));
  EXPECT_FALSE(HttpLetsIn(alice));
  EXPECT_FALSE(PeersLetIn(node));
}

class PeerNamesTest : public TlsTest {
 protected:
  ServerConfig Config() override {
    ServerConfig config = SecureFixture::Config();
    config.peer_names = {"node-*"};
    return config;
  }
};

TEST_F(PeerNamesTest, ANodeOfAnotherNameIsNotLetIn) {
  EXPECT_TRUE(PeersLetIn(Issue(NodeRequest("node-2"))));
  security::CertificateRequest other = NodeRequest("backup");
  other.hosts = {"127.0.0.1"};
  EXPECT_FALSE(PeersLetIn(Issue(other)));
}

class ReloadTest : public TlsTest {
 protected:
  // The authority of new certificates; the server's files are rewritten in place.
  void UseAuthority(const security::PemPair& authority) {
    const security::PemPair node =
        security::IssueCertificate(authority, NodeRequest("node-1")).value();
    Replace("ca.pem", authority.certificate);
    Replace("cert-1.pem", node.certificate);
    Replace("cert-1-key.pem", node.key);
  }
  size_t Count(const std::string& text) const {
    const std::string logged = Logged();
    size_t count = 0;
    for (size_t at = 0; (at = logged.find(text, at)) != std::string::npos; ++at) ++count;
    return count;
  }
};

TEST_F(ReloadTest, AMismatchedPairChangesNothingAndIsSaid) {
  const security::PemPair next = security::IssueCertificate(authority_, NodeRequest("new")).value();
  Replace("cert-1.pem", next.certificate);  // the key comes later
  server_->Reload(Config());
  ASSERT_TRUE(Await([&] { return Count("certificates refused, the last good one") == 1; }));
  EXPECT_THAT(Logged(), HasSubstr("is not the key of the certificate in"));
  EXPECT_TRUE(GrpcLetsIn(Issue(ClientRequest("alice"))));
  EXPECT_TRUE(HttpLetsIn(Issue(ClientRequest("alice"))));
  Replace("cert-1-key.pem", next.key);
  // Without being told.
  EXPECT_TRUE(Await([&] { return Count("certificates reloaded") == 1; }));
  EXPECT_TRUE(GrpcLetsIn(Issue(ClientRequest("alice"))));
}

TEST_F(ReloadTest, ANewAuthorityEndsTheOldOnesCertificates) {
  const security::TlsFiles old = Issue(ClientRequest("alice"));
  const auto open = ChannelOf(old);
  ASSERT_TRUE(ProduceOver(open).ok());
  UseAuthority(other_authority_);
  server_->Reload(Config());
  ASSERT_TRUE(Await([&] { return Count("certificates reloaded") == 1; }));
  EXPECT_FALSE(GrpcLetsIn(old));
  EXPECT_EQ(ProduceOver(open).code(), absl::StatusCode::kUnauthenticated);
  EXPECT_TRUE(GrpcLetsIn(Issue(ClientRequest("alice"), other_authority_)));
}

// Certificates and policy change all the time; what is allowed stays allowed, what is not, not.
TEST_F(ReloadTest, ChangesUnderLoadFailNoCallThatShouldPassAndPassNoneThatShouldFail) {
  constexpr int kChanges = 100;
  std::atomic<bool> over{false};
  std::atomic<int> passed{0};
  std::atomic<int> wrong{0};
  const auto alice = ChannelOf("alice");
  const auto mallory = ChannelOf("mallory");
  std::vector<std::thread> clients;
  clients.emplace_back([&] {
    while (!over) ++(ProduceOver(alice).ok() ? passed : wrong);
  });
  clients.emplace_back([&] {
    while (!over) {
      const absl::Status status = ProduceOver(mallory);
      if (status.code() != absl::StatusCode::kPermissionDenied) ++wrong;
    }
  });
  // And new connections, which each shake hands anew.
  const security::TlsFiles files = Issue(ClientRequest("alice"));
  clients.emplace_back([&] {
    while (!over) ++(GrpcLetsIn(files) ? passed : wrong);
  });
  for (int i = 0; i < kChanges; ++i) {
    const size_t before = Count("reloaded");
    if (i % 2 == 0) {
      WritePolicy(kEveryoneProduces + ("p, user-" + std::to_string(i) + ", *, produce, allow\n"));
    } else {
      UseAuthority(authority_);
    }
    server_->Reload(Config());
    ASSERT_TRUE(Await([&] { return Count("reloaded") > before; }));
  }
  over = true;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(passed, kChanges);
}

TEST_F(ReloadTest, ABrokenPolicyChangesNothingForAnybody) {
  const auto alice = ChannelOf("alice");
  const auto mallory = ChannelOf("mallory");
  for (const std::string broken : {"p", "p, alice", "x, alice, *, produce, allow", "p, \"alice"}) {
    const size_t before = Count("policy refused");
    Replace("policy.csv", broken);
    server_->Reload(Config());
    ASSERT_TRUE(Await([&] { return Count("policy refused") > before; })) << broken;
    EXPECT_TRUE(ProduceOver(alice).ok()) << broken;
    EXPECT_EQ(ProduceOver(mallory).code(), absl::StatusCode::kPermissionDenied) << broken;
  }
}

class ExpiryTest : public SecureFixture {
 protected:
  ServerConfig Config() override {
    security::CertificateRequest soon = NodeRequest("node-1");
    soon.not_after_s = now_s_ + 29 * kDayS;
    ServerConfig config = SecureFixture::Config();
    config.server_tls = Issue(soon);
    return config;
  }
};

TEST_F(ExpiryTest, WarnsOfACertificateThatExpiresSoon) {
  EXPECT_THAT(Logged(), HasSubstr("certificate expires soon"));
  EXPECT_THAT(Logged(), HasSubstr("\"days\":28"));
}

}  // namespace
}  // namespace cairn::server
