#include "env/asio_datagram.h"

#include <fcntl.h>

#include <boost/asio.hpp>
#include <utility>

#include "base/check.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "env/host_port.h"

namespace cairn::env {
namespace {

namespace asio = boost::asio;
using asio::ip::udp;
using boost::system::error_code;

// What the kernel may keep while the loop is busy: some thousands of gossip packets. It cuts this
// down to net.core.rmem_max.
constexpr int kReceiveBufferBytes = 2 << 20;

class AsioDatagramSocket final : public DatagramSocket {
 public:
  AsioDatagramSocket(udp::socket socket, std::string address)
      : state_(std::make_shared<State>(std::move(socket), std::move(address))) {}
  ~AsioDatagramSocket() override { AsioDatagramSocket::Close(); }
  AsioDatagramSocket(const AsioDatagramSocket&) = delete;
  AsioDatagramSocket& operator=(const AsioDatagramSocket&) = delete;

  void Receive(std::span<char> into, ReceiveCallback done) override {
    CAIRN_CHECK(!state_->receiving, "one Receive at a time");
    state_->receiving = true;
    state_->socket.async_receive_from(
        asio::buffer(into.data(), into.size()), state_->from,
        [state = state_, done = std::move(done)](const error_code& error, size_t size) mutable {
          state->receiving = false;
          if (state->closed) {
            return done(
                absl::CancelledError(base::StrCat("receive on ", state->address, ": closed")));
          }
          // A datagram of ours that nobody took comes back as an error here; so does a long one.
          if (error && error != asio::error::message_size) {
            return done(absl::UnavailableError(
                base::StrCat("receive on ", state->address, ": ", error.message())));
          }
          done(Received{size,
                        FormatHostPort(state->from.address().to_string(), state->from.port())});
        });
  }

  void Send(const std::string& to, std::string_view bytes) override {
    if (state_->closed) return;
    const absl::StatusOr<HostPort> parts = ParseHostPort(to);
    if (!parts.ok()) return;
    error_code error;
    const auto ip = asio::ip::make_address(parts->host, error);
    if (error) return;
    // The socket does not block; a full buffer loses the datagram, as a full network would.
    state_->socket.send_to(asio::buffer(bytes.data(), bytes.size()), {ip, parts->port}, 0, error);
  }

  void Close() override {
    state_->closed = true;
    error_code ignored;  // the descriptor is gone whatever close says
    state_->socket.close(ignored);
  }

  const std::string& local_address() const override { return state_->address; }

 private:
  // Shared with the handler of a pending Receive, which may outlive the socket.
  struct State {
    State(udp::socket s, std::string a) : socket(std::move(s)), address(std::move(a)) {}
    udp::socket socket;
    const std::string address;
    udp::endpoint from;
    bool receiving = false;
    bool closed = false;
  };

  const std::shared_ptr<State> state_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<DatagramSocket>> AsioBindDatagram(asio::io_context& io,
                                                                 const std::string& address) {
  CAIRN_ASSIGN_OR_RETURN(const HostPort wanted, ParseHostPort(address));
  error_code error;
  const auto ip = asio::ip::make_address(wanted.host, error);
  if (error) {
    return absl::InvalidArgumentError(base::StrCat("bind to ", address, ": not an IP address"));
  }
  const udp::endpoint endpoint(ip, wanted.port);
  udp::socket socket(io);
  socket.open(endpoint.protocol(), error);
  if (!error) {
    ::fcntl(socket.native_handle(), F_SETFD, FD_CLOEXEC);
    error_code ignored;  // a smaller buffer loses more, and that is all
    socket.set_option(asio::socket_base::receive_buffer_size(kReceiveBufferBytes), ignored);
    socket.non_blocking(true, error);
  }
  if (!error) socket.bind(endpoint, error);
  std::string local;
  if (!error) {
    const udp::endpoint bound = socket.local_endpoint(error);
    local = FormatHostPort(bound.address().to_string(), bound.port());
  }
  if (error) {
    const std::string text = base::StrCat("bind to ", address, ": ", error.message());
    if (error == asio::error::address_in_use) return absl::AlreadyExistsError(text);
    return absl::InvalidArgumentError(text);
  }
  return std::make_unique<AsioDatagramSocket>(std::move(socket), std::move(local));
}

}  // namespace cairn::env
