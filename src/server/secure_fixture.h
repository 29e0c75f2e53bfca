// For tests: a server with TLS and a policy, and clients with certificates of every kind.
#pragma once

#include <array>
#include <ctime>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "env/event_loop.h"
#include "env/posix.h"
#include "security/tls/certificate_authority.h"
#include "security/tls/tls_connection.h"
#include "security/tls/tls_context.h"
#include "server/server_fixture.h"

namespace cairn::server {

inline constexpr int64_t kDayS = 24 * 3600;

// Rules name subject, object and action exactly; one with "deny" forbids.
inline constexpr char kTestModel[] = R"([request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act, eft
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = r.sub == p.sub && r.obj == p.obj && r.act == p.act
)";

class SecureFixture : public ServerFixture {
 protected:
  SecureFixture()
      : authority_(
            security::MakeAuthority("test", now_s_ - 2 * kDayS, now_s_ + 90 * kDayS).value()) {
    Write("ca.pem", authority_.certificate);
    node_ = Issue(NodeRequest("node-1"));
    Write("model.conf", kTestModel);
  }

  void SetUp() override {
    WritePolicy("");
    StartServer();
  }

  ServerConfig Config() override {
    ServerConfig config = ServerFixture::Config();
    config.server_tls = node_;
    config.peer_tls = node_;
    config.acl_model_file = File("model.conf");
    config.acl_policy_file = File("policy.csv");
    return config;
  }

  std::string File(const std::string& name) const { return directory_.path() + "/" + name; }
  void Write(const std::string& name, const std::string& content) const {
    std::ofstream(File(name), std::ios::binary) << content;
  }
  // Replaces it at once, as a rename does.
  void Replace(const std::string& name, const std::string& content) const {
    Write(name + ".new", content);
    ASSERT_EQ(std::rename(File(name + ".new").c_str(), File(name).c_str()), 0);
  }
  void WritePolicy(const std::string& rules) const {
    Replace("policy.csv", "p, admin, *, cluster, allow\n" + rules);
  }

  security::CertificateRequest ClientRequest(const std::string& name) const {
    return {
        .common_name = name, .not_before_s = now_s_ - kDayS, .not_after_s = now_s_ + 60 * kDayS};
  }
  security::CertificateRequest NodeRequest(const std::string& name) const {
    security::CertificateRequest request = ClientRequest(name);
    request.hosts = {"127.0.0.1", "localhost"};
    request.server = true;
    return request;
  }
  // Files of a certificate, and of the authority that a test trusts.
  security::TlsFiles Issue(const security::CertificateRequest& request,
                           const security::PemPair& authority) {
    const security::PemPair pair = security::IssueCertificate(authority, request).value();
    const std::string name = "cert-" + std::to_string(++issued_);
    Write(name + ".pem", pair.certificate);
    Write(name + "-key.pem", pair.key);
    return {.certificate = File(name + ".pem"),
            .key = File(name + "-key.pem"),
            .authorities = File("ca.pem")};
  }
  security::TlsFiles Issue(const security::CertificateRequest& request) {
    return Issue(request, authority_);
  }

  std::shared_ptr<grpc::Channel> ChannelOf(const security::TlsFiles& files) {
    const auto texts = security::ReadTlsFiles(*fs_, files).value();
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = texts.authorities;
    options.pem_cert_chain = texts.certificate;
    options.pem_private_key = texts.key;
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(server_->address(), grpc::SslCredentials(options), arguments);
  }
  std::shared_ptr<grpc::Channel> ChannelOf(const std::string& subject) {
    return ChannelOf(Issue(ClientRequest(subject)));
  }

  // One record, by whoever the channel belongs to.
  static absl::Status ProduceOver(const std::shared_ptr<grpc::Channel>& channel,
                                  const std::string& topic = "", const std::string& value = "x") {
    grpc::ClientContext context;
    SetDeadline(context);
    logapi::v1::ProduceRequest request;
    request.set_topic(topic);
    request.mutable_record()->set_value(value);
    logapi::v1::ProduceResponse response;
    return api::FromGrpcStatus(
        logapi::v1::Log::NewStub(channel)->Produce(&context, request, &response));
  }

  // What the server says on a connection of `files` to `request`, sent over TLS behind `first`;
  // "" when it lets nobody in.
  std::string Converse(const security::TlsFiles& files, std::vector<std::string> protocols,
                       const std::string& first, const std::string& request) {
    auto context = security::TlsContext::Load(
        *fs_, files, {.role = security::TlsRole::kClient, .protocols = std::move(protocols)});
    EXPECT_TRUE(context.ok()) << context.status();
    Conversation talk;
    loop_.Post([&] {
      loop_.Connect(server_->address(), [&](auto connected) {
        if (!connected.ok()) return talk.End();
        auto raw = std::make_shared<std::unique_ptr<env::Connection>>(*std::move(connected));
        const auto secure = [&, raw] {
          security::TlsConnection::Connect(std::move(*raw), "127.0.0.1", *context, loop_,
                                           5'000'000'000, [&](auto secured) {
                                             if (!secured.ok()) return talk.End();
                                             talk.Start(*std::move(secured), request);
                                           });
        };
        if (first.empty()) return secure();
        (*raw)->Write(first, [secure](const absl::Status&) { secure(); });
      });
    });
    talk.ended.get_future().wait();
    std::promise<void> gone;
    loop_.Post([&] {
      talk.connection.reset();
      gone.set_value();
    });
    gone.get_future().wait();
    return talk.received;
  }

  // What the server answers to GET `path`, over TLS; "" when it lets nobody in.
  std::string GetOver(const security::TlsFiles& files, const std::string& path) {
    return Converse(files, {"http/1.1"}, "",
                    "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  }

  std::string Logged() const { return log_lines_.str(); }

  const int64_t now_s_ = std::time(nullptr);
  const std::unique_ptr<env::FileSystem> fs_ = env::NewPosixFileSystem();
  const security::PemPair authority_;
  security::TlsFiles node_;
  int issued_ = 0;
  env::EventLoop loop_{"tls-clients"};

 private:
  struct Conversation {
    std::unique_ptr<env::Connection> connection;
    std::array<char, 4096> buffer;
    std::string received;
    std::promise<void> ended;
    bool over = false;

    void End() {
      if (!std::exchange(over, true)) ended.set_value();
    }
    void Start(std::unique_ptr<env::Connection> opened, const std::string& request) {
      connection = std::move(opened);
      connection->Write(request, [](const absl::Status&) {});
      Read();
    }
    void Read() {
      connection->Read(buffer, [this](absl::StatusOr<size_t> size) {
        if (!size.ok() || *size == 0) return End();
        received.append(buffer.data(), *size);
        Read();
      });
    }
  };
};

}  // namespace cairn::server
