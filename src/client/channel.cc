#include "client/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <charconv>
#include <cstdint>
#include <fstream>
#include <iterator>

#include "base/status_macros.h"
#include "base/strings.h"
#include "client/client_impl.h"

namespace cairn::client {
namespace {

constexpr int kMinReconnectMs = 50;  // a broker that restarts is away for about this long
// Of TCP, TLS and the first frames: a few round trips over a long way, or to a busy broker. A
// machine that is gone costs this long, too.
constexpr int kConnectTimeoutMs = 1'000;
constexpr int kMaxReconnectMs = 2'000;
// A broker whose machine is gone, or whose process is stopped, is left after this long: it closes
// no connection. Not more often than the broker's limit (rpc/limits.h).
constexpr int kKeepaliveTimeMs = 3'000;
constexpr int kKeepaliveTimeoutMs = 3'000;

absl::StatusOr<std::string> ReadPem(const std::string& path, std::string_view what) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return absl::NotFoundError(base::StrCat("cannot read the ", what, " file '", path,
                                            "': check the path and its permissions"));
  }
  return std::string(std::istreambuf_iterator<char>(file), {});
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeCredentials(const TlsFiles& tls) {
  if (tls.ca_file.empty()) {
    if (!tls.cert_file.empty() || !tls.key_file.empty()) {
      return absl::InvalidArgumentError(
          "a TLS certificate without a CA file: name the CA that signed the broker's certificate "
          "too");
    }
    return grpc::InsecureChannelCredentials();
  }
  if (tls.cert_file.empty() != tls.key_file.empty()) {
    return absl::InvalidArgumentError(
        "a TLS certificate and its key are given together or not at all");
  }
  grpc::SslCredentialsOptions options;
  CAIRN_ASSIGN_OR_RETURN(options.pem_root_certs, ReadPem(tls.ca_file, "TLS CA"));
  if (!tls.cert_file.empty()) {
    CAIRN_ASSIGN_OR_RETURN(options.pem_cert_chain, ReadPem(tls.cert_file, "TLS certificate"));
    CAIRN_ASSIGN_OR_RETURN(options.pem_private_key, ReadPem(tls.key_file, "TLS key"));
  }
  return grpc::SslCredentials(options);
}

}  // namespace

absl::StatusOr<std::vector<std::string>> SplitAddresses(std::string_view list) {
  std::vector<std::string> addresses;
  while (true) {
    const size_t comma = list.find(',');
    const std::string_view part = list.substr(0, comma);
    const size_t colon = part.rfind(':');
    uint16_t port = 0;
    bool good = colon != std::string_view::npos && colon > 0;
    if (good) {
      const char* end = part.data() + part.size();
      const auto parsed = std::from_chars(part.data() + colon + 1, end, port);
      good = parsed.ec == std::errc() && parsed.ptr == end && port != 0;
    }
    if (!good) {
      return absl::InvalidArgumentError(
          base::StrCat("'", part, "' is not an address: expected HOST:PORT, as in 127.0.0.1:8400"));
    }
    addresses.emplace_back(part);
    if (comma == std::string_view::npos) return addresses;
    list.remove_prefix(comma + 1);
  }
}

absl::StatusOr<ChannelFactory> MakeChannelFactory(const TlsFiles& tls) {
  CAIRN_ASSIGN_OR_RETURN(const auto credentials, MakeCredentials(tls));
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetMaxSendMessageSize(kMaxMessageBytes);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kMinReconnectMs);
  // In spite of its name: how long an attempt may take, at least. After one that was refused it is
  // the initial back-off that counts.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kMaxReconnectMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // as many as it takes
  // Two clients of one program do not share a connection: closing one leaves the other alone.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return [credentials, arguments](const std::string& address) {
    return grpc::CreateCustomChannel(address, credentials, arguments);
  };
}

}  // namespace cairn::client
