// TlsConnection: TLS over a connection, as a connection.
//
// Between the network and the protocols: what reads and writes frames or HTTP does not know whether
// TLS is below. OpenSSL works on memory alone; the bytes go through the connection underneath, so
// it runs over the simulated network too. A peer costs a handshake's time at most, and a record
// (16 KiB) of what it sends.
//
// Belongs to the executor of the connection below, as env::Connection says.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "env/executor.h"
#include "env/network.h"
#include "security/tls/tls_context.h"

namespace cairn::security {

class TlsConnection final : public env::Connection {
 public:
  // UNAUTHENTICATED: the other side's certificate, or ours in its eyes. INVALID_ARGUMENT: it does
  // not speak TLS as we do. DEADLINE_EXCEEDED: the handshake took too long. UNAVAILABLE: the
  // connection broke. Never inline.
  using Done = absl::AnyInvocable<void(absl::StatusOr<std::unique_ptr<TlsConnection>>)>;

  // The server's side. `received`: what was read of the stream already.
  static void Accept(std::unique_ptr<env::Connection> connection, std::string received,
                     std::shared_ptr<const TlsContext> context, env::Executor& executor,
                     int64_t handshake_timeout_ns, Done done);
  // The client's side. The server's certificate must be of `host`, a name or an IP address.
  static void Connect(std::unique_ptr<env::Connection> connection, const std::string& host,
                      std::shared_ptr<const TlsContext> context, env::Executor& executor,
                      int64_t handshake_timeout_ns, Done done);

  ~TlsConnection() override;

  // nullopt: the other side showed none, and none was demanded.
  const std::optional<PeerCertificate>& peer() const;
  // By ALPN; "" when none was agreed.
  const std::string& protocol() const;

  // ---- env::Connection ----
  // A stream that ends without TLS saying so was cut: UNAVAILABLE, not the end.
  void Read(std::span<char> into, ReadCallback done) override;
  using env::Connection::Write;
  void Write(std::vector<env::Slice> data, WriteCallback done) override;
  // Says so to the other side, when nothing is being written.
  void Close() override;
  const std::string& peer_address() const override;
  // The descriptor alone is of no use to anybody.
  std::optional<int> ReleaseDescriptor() override { return std::nullopt; }

 private:
  class Impl;
  explicit TlsConnection(std::shared_ptr<Impl> impl);
  const std::shared_ptr<Impl> impl_;  // shared with the callbacks of the connection below
};

}  // namespace cairn::security
