#include "security/tls/tls_connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <optional>

#include "env/sim_clock.h"
#include "env/sim_executor.h"
#include "env/sim_network.h"
#include "env/sim_random.h"
#include "security/tls/tls_testing.h"

namespace cairn::security {
namespace {

using testing::HasSubstr;

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kHandshakeNs = 5 * kSecond;

using Opened = absl::StatusOr<std::unique_ptr<TlsConnection>>;

// Reads what comes until the end.
struct Reader {
  explicit Reader(env::Connection& c) : connection(c) { Next(); }
  void Next() {
    connection.Read(buffer, [this](absl::StatusOr<size_t> size) {
      if (!size.ok() || *size == 0) {
        end = size.status();
        return;
      }
      data.append(buffer.data(), *size);
      Next();
    });
  }
  env::Connection& connection;
  std::array<char, 5000> buffer;
  std::string data;
  std::optional<absl::Status> end;
};

class TlsConnectionTest : public testing::Test {
 protected:
  TlsConnectionTest()
      : fabric_(clock_, executor_, random_),
        a_(fabric_.AddHost("a", executor_)),
        b_(fabric_.AddHost("b", executor_)),
        listener_(b_->Listen("b:1").value()) {}

  std::shared_ptr<const TlsContext> Server(const TlsFiles& files) {
    return lab_.Load(files, TlsRole::kServer, {"h2", "http/1.1"}).value();
  }
  std::shared_ptr<const TlsContext> Client(const TlsFiles& files,
                                           std::vector<std::string> protocols = {}) {
    return lab_.Load(files, TlsRole::kClient, std::move(protocols)).value();
  }

  // A connection without TLS; its server's end goes to `raw_server_`.
  std::unique_ptr<env::Connection> ConnectRaw() {
    std::unique_ptr<env::Connection> client;
    listener_->Accept([&](auto accepted) { raw_server_ = *std::move(accepted); });
    a_->Connect("b:1", [&](auto connected) { client = *std::move(connected); });
    executor_.RunFor(kSecond);
    return client;
  }
  void Handshake(const std::shared_ptr<const TlsContext>& server,
                 const std::shared_ptr<const TlsContext>& client, const std::string& host = "b") {
    auto raw_client = ConnectRaw();
    TlsConnection::Accept(std::move(raw_server_), "", server, executor_, kHandshakeNs,
                          [this](Opened opened) { server_ = std::move(opened); });
    TlsConnection::Connect(std::move(raw_client), host, client, executor_, kHandshakeNs,
                           [this](Opened opened) { client_ = std::move(opened); });
    executor_.RunFor(2 * kHandshakeNs);
    // In TLS 1.3 a client is done before the server has seen its certificate.
    if (client_->ok() && !server_->ok()) {
      Reader reader(***client_);
      executor_.RunFor(kSecond);
      ASSERT_TRUE(reader.end.has_value());
      client_ = Opened(*reader.end);
    }
  }
  TlsConnection& server() { return ***server_; }
  TlsConnection& client() { return ***client_; }

  env::SimClock clock_;
  env::SimExecutor executor_{clock_};
  env::SimRandom random_{1};
  env::SimNetwork fabric_;
  std::unique_ptr<env::Network> a_;
  std::unique_ptr<env::Network> b_;
  std::unique_ptr<env::Listener> listener_;
  std::unique_ptr<env::Connection> raw_server_;
  std::optional<Opened> server_;
  std::optional<Opened> client_;
  TlsLab lab_;
};

TEST_F(TlsConnectionTest, BothSidesKnowEachOther) {
  Handshake(Server(lab_.IssueNode("node-1")), Client(lab_.IssueClient("alice"), {"h2"}));
  ASSERT_TRUE(server_->ok()) << server_->status();
  ASSERT_TRUE(client_->ok()) << client_->status();
  EXPECT_EQ(server().peer()->common_name, "alice");
  EXPECT_FALSE(server().peer()->may_be_server);
  EXPECT_EQ(client().peer()->common_name, "node-1");
  EXPECT_EQ(server().protocol(), "h2");
  EXPECT_EQ(client().protocol(), "h2");
}

TEST_F(TlsConnectionTest, CarriesWhatIsWrittenBothWaysAtOnce) {
  Handshake(Server(lab_.IssueNode("node-1")), Client(lab_.IssueClient("alice")));
  ASSERT_TRUE(server_->ok() && client_->ok());
  std::string large;
  for (int i = 0; i < 300'000; ++i) large += std::to_string(i);
  Reader at_server(server());
  Reader at_client(client());
  int written = 0;
  const auto count = [&](const absl::Status& status) { written += status.ok() ? 1 : 100; };
  std::vector<env::Slice> slices;
  slices.emplace_back("");
  slices.emplace_back(large.substr(0, 700'001));
  slices.emplace_back(large.substr(700'001));
  client().Write(std::move(slices), count);
  server().Write(large, count);
  executor_.RunFor(60 * kSecond);
  EXPECT_EQ(written, 2);
  EXPECT_TRUE(at_server.data == large);
  EXPECT_TRUE(at_client.data == large);
  client().Close();
  executor_.RunFor(kSecond);
  EXPECT_EQ(at_server.end, absl::OkStatus());
  EXPECT_EQ(at_client.end->code(), absl::StatusCode::kCancelled);
}

TEST_F(TlsConnectionTest, AStreamThatIsCutDoesNotLookLikeOneThatEnds) {
  auto raw_client = ConnectRaw();
  env::Connection* below = raw_client.get();
  TlsConnection::Accept(std::move(raw_server_), "", Server(lab_.IssueNode("node-1")), executor_,
                        kHandshakeNs, [this](Opened opened) { server_ = std::move(opened); });
  TlsConnection::Connect(std::move(raw_client), "b", Client(lab_.IssueClient("alice")), executor_,
                         kHandshakeNs, [this](Opened opened) { client_ = std::move(opened); });
  executor_.RunFor(kSecond);
  ASSERT_TRUE(server_->ok());
  Reader reader(server());
  below->Close();
  executor_.RunFor(kSecond);
  ASSERT_TRUE(reader.end.has_value());
  EXPECT_EQ(reader.end->code(), absl::StatusCode::kUnavailable);
}

TEST_F(TlsConnectionTest, NoBadCertificateOfAClientIsAccepted) {
  TlsLab others("others");
  const auto server = Server(lab_.IssueNode("node-1"));
  // Every client trusts the server's authority: what is wrong is what it shows.
  const auto with = [&](TlsLab& lab, const CertificateRequest& request) {
    const PemPair pair = IssueCertificate(lab.authority(), request).value();
    lab_.Put("bad.pem", pair.certificate);
    lab_.Put("bad-key.pem", pair.key);
    return Client({.certificate = "bad.pem", .key = "bad-key.pem", .authorities = lab_.ca_file()});
  };
  CertificateRequest expired = lab_.Request("alice");
  expired.not_before_s = lab_.now_s() - kDayS;
  expired.not_after_s = lab_.now_s() - 60;
  CertificateRequest early = lab_.Request("alice");
  early.not_before_s = lab_.now_s() + 3600;
  CertificateRequest usage = lab_.Request("alice");
  usage.client = false;
  usage.server = true;
  const std::vector<std::pair<std::shared_ptr<const TlsContext>, std::string>> bad = {
      {Client({.authorities = lab_.ca_file()}), "shows no certificate"},
      {with(others, lab_.Request("alice")), "unable to get local issuer certificate"},
      {with(lab_, expired), "has expired"},
      {with(lab_, early), "not yet valid"},
      {with(lab_, usage), "purpose"},
  };
  for (const auto& [client, why] : bad) {
    Handshake(server, client);
    EXPECT_EQ(server_->status().code(), absl::StatusCode::kUnauthenticated) << server_->status();
    EXPECT_THAT(server_->status().message(), HasSubstr(why));
    EXPECT_FALSE(client_->ok()) << why;
  }
}

TEST_F(TlsConnectionTest, NoBadCertificateOfAServerIsAccepted) {
  TlsLab others("others");
  const auto client = Client(lab_.IssueClient("alice"));
  CertificateRequest usage = lab_.Request("node-1");
  usage.hosts = {"b"};
  Handshake(Server(lab_.Issue(usage)), client);
  EXPECT_EQ(client_->status().code(), absl::StatusCode::kUnauthenticated) << client_->status();
  EXPECT_THAT(client_->status().message(), HasSubstr("purpose"));
  Handshake(Server(lab_.IssueNode("node-1")), client, "c");
  EXPECT_EQ(client_->status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(client_->status().message(), HasSubstr("hostname mismatch"));
  EXPECT_FALSE(server_->ok());
  Handshake(Server(lab_.IssueNode("node-1")), client, "127.0.0.1");
  EXPECT_TRUE(client_->ok()) << client_->status();
  lab_.Put("others-ca.pem", others.authority().certificate);
  Handshake(Server(lab_.IssueNode("node-1")), Client({.authorities = "others-ca.pem"}));
  EXPECT_EQ(client_->status().code(), absl::StatusCode::kUnauthenticated);
}

TEST_F(TlsConnectionTest, ARevokedCertificateIsRefused) {
  TlsFiles server = lab_.IssueNode("node-1");
  const auto alice = Client(lab_.IssueClient("alice"));
  const auto bob = Client(lab_.IssueClient("bob"));
  lab_.Put("crl.pem",
           MakeRevocationList(lab_.authority(), {alice->certificate().serial}, lab_.now_s() - 60)
               .value());
  server.revocations = "crl.pem";
  Handshake(Server(server), alice);
  EXPECT_THAT(server_->status().message(), HasSubstr("revoked"));
  Handshake(Server(server), bob);
  EXPECT_TRUE(server_->ok()) << server_->status();
}

TEST_F(TlsConnectionTest, AnUnknownProtocolIsRefused) {
  Handshake(Server(lab_.IssueNode("node-1")), Client(lab_.IssueClient("alice"), {"kafka"}));
  EXPECT_FALSE(server_->ok());
  EXPECT_FALSE(client_->ok());
}

TEST_F(TlsConnectionTest, ASilentOrStrangePeerCostsTheTimeOfAHandshake) {
  const auto server = Server(lab_.IssueNode("node-1"));
  const auto accept = [&](const std::string& said) {
    server_.reset();
    auto raw_client = ConnectRaw();
    TlsConnection::Accept(std::move(raw_server_), said, server, executor_, kHandshakeNs,
                          [this](Opened opened) { server_ = std::move(opened); });
    executor_.RunFor(kHandshakeNs - kSecond);
    return raw_client;
  };
  auto silent = accept("");
  EXPECT_FALSE(server_.has_value());
  executor_.RunFor(2 * kSecond);
  ASSERT_TRUE(server_.has_value());
  EXPECT_EQ(server_->status().code(), absl::StatusCode::kDeadlineExceeded);

  auto strange = accept("GET / HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(server_.has_value());
  EXPECT_EQ(server_->status().code(), absl::StatusCode::kInvalidArgument);

  // A record header that announces more than a record may hold.
  auto large = accept(std::string("\x16\x03\x01\xff\xff", 5));
  ASSERT_TRUE(server_.has_value());
  EXPECT_EQ(server_->status().code(), absl::StatusCode::kInvalidArgument);
}

// Every byte of the client's first flight may be wrong: nothing but an error comes of it.
TEST_F(TlsConnectionTest, AHandshakeWithAFlippedBitFails) {
  const auto server = Server(lab_.IssueNode("node-1"));
  // What a client says first.
  auto raw_client = ConnectRaw();
  TlsConnection::Connect(std::move(raw_client), "b", Client(lab_.IssueClient("alice")), executor_,
                         kHandshakeNs, [](const Opened&) {});
  std::array<char, 4096> buffer;
  size_t size = 0;
  raw_server_->Read(buffer, [&](absl::StatusOr<size_t> read) { size = read.value_or(0); });
  executor_.RunFor(kSecond);
  ASSERT_GT(size, 100u);
  for (size_t at = 0; at < size; at += 3) {
    std::string hello(buffer.data(), size);
    hello[at] = static_cast<char>(hello[at] ^ 1 << at % 8);
    server_.reset();
    auto other_end = ConnectRaw();
    TlsConnection::Accept(std::move(raw_server_), hello, server, executor_, kHandshakeNs,
                          [this](Opened opened) { server_ = std::move(opened); });
    executor_.RunFor(kHandshakeNs + kSecond);
    ASSERT_TRUE(server_.has_value()) << at;
    EXPECT_FALSE(server_->ok()) << at;
  }
}

}  // namespace
}  // namespace cairn::security
