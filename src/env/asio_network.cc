#include "env/asio_network.h"

#include <fcntl.h>

#include <algorithm>
#include <boost/asio.hpp>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "env/host_port.h"

namespace cairn::env {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// The kernel cuts this down to net.core.somaxconn (4096 by default).
constexpr int kListenBacklog = 4096;

absl::StatusCode CodeOf(const error_code& error) {
  if (error.category() != boost::system::system_category()) {
    return absl::StatusCode::kUnavailable;  // name resolution
  }
  switch (error.value()) {
    case ECANCELED:
      return absl::StatusCode::kCancelled;
    case EADDRINUSE:
      return absl::StatusCode::kAlreadyExists;
    case EADDRNOTAVAIL:
      return absl::StatusCode::kInvalidArgument;
    case EACCES:
    case EPERM:
      return absl::StatusCode::kPermissionDenied;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      return absl::StatusCode::kResourceExhausted;
    case ECONNREFUSED:
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
    case ENOTCONN:
      return absl::StatusCode::kUnavailable;
    default:
      return absl::StatusCode::kInternal;
  }
}

absl::Status NetworkError(const error_code& error, std::string_view operation,
                          std::string_view address) {
  return absl::Status(CodeOf(error), base::StrCat(operation, " ", address, ": ", error.message()));
}

absl::Status Cancelled(std::string_view operation, std::string_view address) {
  return absl::CancelledError(base::StrCat(operation, " ", address, ": closed"));
}

std::string ToString(const tcp::endpoint& endpoint) {
  return FormatHostPort(endpoint.address().to_string(), endpoint.port());
}

void SetCloseOnExec(int descriptor) { ::fcntl(descriptor, F_SETFD, FD_CLOEXEC); }

// A buffer sequence that Asio can copy for nothing, which it does at every step of a long write.
class BufferView {
 public:
  using value_type = asio::const_buffer;
  using const_iterator = const asio::const_buffer*;

  // `buffers` outlives the write and does not change meanwhile.
  explicit BufferView(const std::vector<asio::const_buffer>& buffers)
      : begin_(buffers.data()), end_(buffers.data() + buffers.size()) {}
  const_iterator begin() const { return begin_; }
  const_iterator end() const { return end_; }

 private:
  const_iterator begin_;
  const_iterator end_;
};

class AsioConnection final : public Connection {
 public:
  AsioConnection(tcp::socket socket, std::string peer)
      : state_(std::make_shared<State>(std::move(socket), std::move(peer))) {
    error_code ignored;  // a socket that is already reset says so at its first Read
    state_->socket.set_option(tcp::no_delay(true), ignored);
    SetCloseOnExec(state_->socket.native_handle());
  }
  ~AsioConnection() override { AsioConnection::Close(); }
  AsioConnection(const AsioConnection&) = delete;
  AsioConnection& operator=(const AsioConnection&) = delete;

  void Read(std::span<char> into, ReadCallback done) override {
    CAIRN_CHECK(!state_->reading, "one Read at a time");
    CAIRN_CHECK(!into.empty(), "0 bytes read mean that the peer has closed");
    state_->reading = true;
    state_->socket.async_read_some(
        asio::buffer(into.data(), into.size()),
        [state = state_, done = std::move(done)](const error_code& error, size_t size) mutable {
          state->reading = false;
          if (state->closed) {
            done(Cancelled("read from", state->peer));
          } else if (error == asio::error::eof) {
            done(size_t{0});
          } else if (error) {
            done(NetworkError(error, "read from", state->peer));
          } else {
            done(size);
          }
        });
  }

  void Write(std::vector<Slice> data, WriteCallback done) override {
    CAIRN_CHECK(!state_->writing, "one Write at a time");
    state_->writing = true;
    state_->data = std::move(data);
    state_->buffers.clear();
    size_t total = 0;
    for (const Slice& slice : state_->data) {
      state_->buffers.push_back(asio::buffer(slice.view().data(), slice.size()));
      total += slice.size();
    }
    // Asio's own condition (transfer_all) would cut the data into pieces of 64 KiB.
    const auto remaining = [total](const error_code& error, size_t wrote) {
      return error ? 0 : total - wrote;
    };
    asio::async_write(
        state_->socket, BufferView(state_->buffers), remaining,
        [state = state_, done = std::move(done)](const error_code& error, size_t) mutable {
          state->writing = false;
          state->data.clear();
          if (state->closed) {
            done(Cancelled("write to", state->peer));
          } else if (error) {
            done(NetworkError(error, "write to", state->peer));
          } else {
            done(absl::OkStatus());
          }
        });
  }

  void Close() override {
    state_->closed = true;
    error_code ignored;  // the descriptor is gone whatever close says
    state_->socket.close(ignored);
  }

  const std::string& peer_address() const override { return state_->peer; }

  std::optional<int> ReleaseDescriptor() override {
    CAIRN_CHECK(!state_->reading && !state_->writing, "an operation still uses the descriptor");
    if (state_->closed) return std::nullopt;
    state_->closed = true;
    error_code error;
    const int descriptor = state_->socket.release(error);
    if (error) return std::nullopt;
    ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK);
    return descriptor;
  }

 private:
  // Shared with the handlers of pending operations, which may outlive the connection.
  struct State {
    State(tcp::socket s, std::string p) : socket(std::move(s)), peer(std::move(p)) {}
    tcp::socket socket;
    const std::string peer;
    std::vector<Slice> data;                  // what the pending Write writes
    std::vector<asio::const_buffer> buffers;  // the same, as Asio likes it
    bool reading = false;
    bool writing = false;
    bool closed = false;
  };

  const std::shared_ptr<State> state_;
};

class AsioListener final : public Listener {
 public:
  AsioListener(tcp::acceptor acceptor, std::string address)
      : state_(std::make_shared<State>(std::move(acceptor), std::move(address))) {}
  ~AsioListener() override { AsioListener::Close(); }
  AsioListener(const AsioListener&) = delete;
  AsioListener& operator=(const AsioListener&) = delete;

  void Accept(AcceptCallback done) override {
    CAIRN_CHECK(!state_->accepting, "one Accept at a time");
    state_->accepting = true;
    state_->acceptor.async_accept([state = state_, done = std::move(done)](
                                      const error_code& error, tcp::socket socket) mutable {
      state->accepting = false;
      if (state->closed) return done(Cancelled("accept on", state->address));
      if (error) return done(NetworkError(error, "accept on", state->address));
      error_code gone;  // the peer may have reset the connection already
      const tcp::endpoint peer = socket.remote_endpoint(gone);
      done(std::make_unique<AsioConnection>(std::move(socket), gone ? "unknown" : ToString(peer)));
    });
  }

  void Close() override {
    state_->closed = true;
    error_code ignored;
    state_->acceptor.close(ignored);
  }

  const std::string& local_address() const override { return state_->address; }

 private:
  struct State {
    State(tcp::acceptor a, std::string s) : acceptor(std::move(a)), address(std::move(s)) {}
    tcp::acceptor acceptor;
    const std::string address;
    bool accepting = false;
    bool closed = false;
  };

  const std::shared_ptr<State> state_;  // shared with the handler of a pending Accept
};

error_code ListenOn(tcp::acceptor& acceptor, const tcp::endpoint& endpoint) {
  error_code error;
  if (acceptor.open(endpoint.protocol(), error)) return error;
  SetCloseOnExec(acceptor.native_handle());
  // So that a restart need not wait for the old connections' TIME_WAIT; Linux still refuses a
  // second listener on the port.
  if (acceptor.set_option(tcp::acceptor::reuse_address(true), error)) return error;
  if (acceptor.bind(endpoint, error)) return error;
  acceptor.listen(kListenBacklog, error);
  return error;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> AsioListen(asio::io_context& io,
                                                     const std::string& address) {
  CAIRN_ASSIGN_OR_RETURN(const HostPort wanted, ParseHostPort(address));
  error_code error;
  const auto found =
      tcp::resolver(io).resolve(wanted.host, std::to_string(wanted.port),
                                tcp::resolver::passive | tcp::resolver::numeric_service, error);
  if (error) {
    return absl::InvalidArgumentError(base::StrCat("listen on ", address, ": ", error.message()));
  }
  std::vector<tcp::endpoint> endpoints(found.begin(), found.end());
  // A name with both kinds of address (localhost) means IPv4, which is what clients try by default.
  std::stable_partition(endpoints.begin(), endpoints.end(),
                        [](const tcp::endpoint& e) { return e.address().is_v4(); });
  absl::Status first =
      absl::InvalidArgumentError(base::StrCat("listen on ", address, ": the name has no address"));
  bool tried = false;
  for (const tcp::endpoint& endpoint : endpoints) {
    tcp::acceptor acceptor(io);
    error = ListenOn(acceptor, endpoint);
    if (!error) {
      std::string local = ToString(acceptor.local_endpoint(error));
      if (!error) return std::make_unique<AsioListener>(std::move(acceptor), std::move(local));
    }
    if (!tried) first = NetworkError(error, "listen on", address);
    tried = true;
  }
  return first;
}

void AsioConnect(asio::io_context& io, const std::string& address, Network::ConnectCallback done) {
  absl::StatusOr<HostPort> wanted = ParseHostPort(address);
  if (wanted.ok() && wanted->port == 0) {
    wanted = absl::InvalidArgumentError(base::StrCat("connect to ", address, ": port 0"));
  }
  if (!wanted.ok()) {
    asio::post(io, [status = wanted.status(), done = std::move(done)]() mutable { done(status); });
    return;
  }
  auto resolver = std::make_shared<tcp::resolver>(io);  // lives as long as its handler
  resolver->async_resolve(
      wanted->host, std::to_string(wanted->port), tcp::resolver::numeric_service,
      [&io, resolver, address, done = std::move(done)](
          const error_code& unresolved, const tcp::resolver::results_type& found) mutable {
        if (unresolved) return done(NetworkError(unresolved, "connect to", address));
        auto socket = std::make_shared<tcp::socket>(io);  // lives as long as its handler
        asio::async_connect(
            *socket, found,
            [socket, address, done = std::move(done)](const error_code& refused,
                                                      const tcp::endpoint& peer) mutable {
              if (refused) {
                return done(NetworkError(refused, "connect to", address));
              }
              done(std::make_unique<AsioConnection>(std::move(*socket), ToString(peer)));
            });
      });
}

}  // namespace cairn::env
