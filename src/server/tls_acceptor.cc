#include "server/tls_acceptor.h"

#include <future>
#include <utility>

namespace cairn::server {

TlsAcceptor::TlsAcceptor(env::Executor& executor, Refused refused)
    : executor_(executor), state_(std::make_shared<State>()) {
  state_->refused = std::move(refused);
}

void TlsAcceptor::Accept(std::unique_ptr<env::Connection> connection, std::string received,
                         std::shared_ptr<const security::TlsContext> context, Done done) {
  std::string peer = connection->peer_address();
  if (state_->stopped) return;
  if (state_->under_way >= kMaxTlsHandshakes) {
    return state_->refused(peer, absl::ResourceExhaustedError("too many TLS handshakes"));
  }
  ++state_->under_way;
  security::TlsConnection::Accept(
      std::move(connection), std::move(received), std::move(context), executor_,
      kTlsHandshakeTimeoutNs,
      [state = state_, peer = std::move(peer), done = std::move(done)](
          absl::StatusOr<std::unique_ptr<security::TlsConnection>> accepted) mutable {
        --state->under_way;
        if (state->stopped) return;
        if (!accepted.ok()) return state->refused(peer, accepted.status());
        done(*std::move(accepted));
      });
}

void TlsAcceptor::Stop() {
  std::promise<void> stopped;
  executor_.Post([&] {
    state_->stopped = true;
    stopped.set_value();
  });
  stopped.get_future().wait();
}

}  // namespace cairn::server
