// TlsAcceptor: the server's side of TLS handshakes, so many at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "env/executor.h"
#include "security/tls/tls_connection.h"

namespace cairn::server {

// From the first bytes to the end of the handshake.
inline constexpr int64_t kTlsHandshakeTimeoutNs = 5'000'000'000;
// Handshakes under way; each costs about 50 KiB of OpenSSL's.
inline constexpr size_t kMaxTlsHandshakes = 512;

// The executor's, but for Stop.
class TlsAcceptor {
 public:
  using Done = absl::AnyInvocable<void(std::unique_ptr<security::TlsConnection> connection)>;
  // `peer` is the address.
  using Refused = std::function<void(const std::string& peer, const absl::Status& why)>;

  // `executor` is that of the connections; it outlives the acceptor. `refused` hears of handshakes
  // that failed.
  TlsAcceptor(env::Executor& executor, Refused refused);

  // `received` has been read of the connection already. `done` is called if the handshake succeeds,
  // and the acceptor has not been stopped.
  void Accept(std::unique_ptr<env::Connection> connection, std::string received,
              std::shared_ptr<const security::TlsContext> context, Done done);

  // Afterwards nothing is called any more. Blocking; not from the executor's thread.
  void Stop();

 private:
  struct State {
    Refused refused;
    size_t under_way = 0;
    bool stopped = false;
  };
  env::Executor& executor_;
  const std::shared_ptr<State> state_;  // shared with handshakes under way
};

}  // namespace cairn::server
