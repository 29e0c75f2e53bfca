#include "rpc/tls_server_credentials.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include <string>

#include "base/check.h"

namespace cairn::rpc {
namespace {

// gRPC's C++ classes have certificates that stay as they are, or its own watcher; the C API beneath
// asks before each handshake.
class ReloadingCredentials final : public grpc::ServerCredentials {
 public:
  explicit ReloadingCredentials(const security::CurrentTls& tls) : tls_(tls) {
    const auto request = tls.Get()->demands_clients()
                             ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                             : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;
    credentials_ = grpc_ssl_server_credentials_create_with_options(
        grpc_ssl_server_credentials_create_options_using_config_fetcher(request, Fetch, this));
    CAIRN_CHECK(credentials_ != nullptr, "gRPC takes our options");
  }
  ~ReloadingCredentials() override { grpc_server_credentials_release(credentials_); }

  void SetAuthMetadataProcessor(
      const std::shared_ptr<grpc::AuthMetadataProcessor>& /*processor*/) override {
    CAIRN_CHECK(false, "who calls is told by certificates alone");
  }

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  // gRPC asks under a lock of its own.
  static grpc_ssl_certificate_config_reload_status Fetch(
      void* user_data, grpc_ssl_server_certificate_config** config) {
    auto& self = *static_cast<ReloadingCredentials*>(user_data);
    const uint64_t version = self.tls_.version();
    if (version == self.fetched_version_) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    const auto identity = self.tls_.Get();
    const security::TlsTexts& texts = identity->texts;
    const grpc_ssl_pem_key_cert_pair pair = {texts.key.c_str(), texts.certificate.c_str()};
    *config = grpc_ssl_server_certificate_config_create(
        texts.authorities.empty() ? nullptr : texts.authorities.c_str(), &pair, 1);
    self.fetched_version_ = version;
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  const security::CurrentTls& tls_;
  uint64_t fetched_version_ = 0;
  grpc_server_credentials* credentials_ = nullptr;
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> TlsServerCredentials(const security::CurrentTls& tls) {
  return std::make_shared<ReloadingCredentials>(tls);
}

}  // namespace cairn::rpc
