// Byte streams and datagrams between processes. Callbacks run on the executor of the
// implementation, never inline.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "env/datagram.h"
#include "env/slice.h"

namespace cairn::env {

// One connected stream. Used from the executor's thread only. At most one Read and one Write are
// pending; destroying or closing the connection completes them with CANCELLED.
class Connection {
 public:
  using ReadCallback = absl::AnyInvocable<void(absl::StatusOr<size_t>)>;
  using WriteCallback = absl::AnyInvocable<void(absl::Status)>;

  virtual ~Connection() = default;

  // Reads 1 to into.size() bytes; 0 means that the peer closed its side. `into` is not empty and
  // outlives the callback. Errors, here and in Write: CANCELLED; UNAVAILABLE when the connection
  // broke.
  virtual void Read(std::span<char> into, ReadCallback done) = 0;

  // Writes all of `data`, in order, without copying what it shares. The slices are kept until
  // `done`.
  virtual void Write(std::vector<Slice> data, WriteCallback done) = 0;

  // The simple form: one string.
  void Write(std::string data, WriteCallback done) {
    std::vector<Slice> slices;
    slices.emplace_back(std::move(data));
    Write(std::move(slices), std::move(done));
  }

  virtual void Close() = 0;

  // "host:port" of the other end.
  virtual const std::string& peer_address() const = 0;

  // Hands the socket over to other code (gRPC takes accepted sockets): returns its descriptor,
  // non-blocking, owned by the caller, and leaves the connection closed. nullopt where there is no
  // descriptor (simulation). Nothing may be pending.
  virtual std::optional<int> ReleaseDescriptor() = 0;
};

// A listening socket. Used from the executor's thread only.
class Listener {
 public:
  using AcceptCallback = absl::AnyInvocable<void(absl::StatusOr<std::unique_ptr<Connection>>)>;

  virtual ~Listener() = default;

  // One accept at a time. RESOURCE_EXHAUSTED (out of descriptors) is transient: accept again later.
  virtual void Accept(AcceptCallback done) = 0;

  virtual void Close() = 0;

  // "host:port" with the real port.
  virtual const std::string& local_address() const = 0;
};

class Network {
 public:
  using ConnectCallback = absl::AnyInvocable<void(absl::StatusOr<std::unique_ptr<Connection>>)>;

  virtual ~Network() = default;

  // Listens on "host:port"; port 0 takes a free one. Errors: INVALID_ARGUMENT for a malformed
  // address, ALREADY_EXISTS when the port is in use, both naming the address. Blocking for name
  // resolution.
  virtual absl::StatusOr<std::unique_ptr<Listener>> Listen(const std::string& address) = 0;

  // Errors: INVALID_ARGUMENT for a malformed address; UNAVAILABLE when the name cannot be resolved
  // or nobody answers there. There is no deadline but the kernel's (about two minutes). `done` is
  // dropped uncalled when the network ends first.
  virtual void Connect(const std::string& address, ConnectCallback done) = 0;

  // A socket for datagrams on "host:port", where host is an IP address; port 0 takes a free one. It
  // may be the port of a Listener. Errors: INVALID_ARGUMENT for a malformed address, ALREADY_EXISTS
  // when the port is in use, both naming the address.
  virtual absl::StatusOr<std::unique_ptr<DatagramSocket>> BindDatagram(
      const std::string& address) = 0;
};

}  // namespace cairn::env
