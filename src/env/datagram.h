// Datagrams: short messages that arrive whole, or not at all, or twice, in any order.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"

namespace cairn::env {

// A bound socket. Used from the executor's thread only; callbacks run there, never inline.
// Destroying or closing it completes a pending Receive with CANCELLED.
class DatagramSocket {
 public:
  // The largest payload of UDP over IPv4. A buffer of this size cuts nothing.
  static constexpr size_t kMaxBytes = 65'507;

  struct Received {
    size_t size_bytes = 0;  // written to the buffer; the rest of a longer datagram is lost
    std::string from;       // "host:port"
  };
  using ReceiveCallback = absl::AnyInvocable<void(absl::StatusOr<Received>)>;

  virtual ~DatagramSocket() = default;

  // The next datagram. One at a time; `into` outlives the callback. Errors: CANCELLED; others are
  // transient: receive again.
  virtual void Receive(std::span<char> into, ReceiveCallback done) = 0;

  // Sends `bytes` (at most kMaxBytes) to "host:port", where host is an IP address. Never waits:
  // what cannot be sent now, or at all, is lost as any datagram may be.
  virtual void Send(const std::string& to, std::string_view bytes) = 0;

  virtual void Close() = 0;

  // "host:port" with the real port.
  virtual const std::string& local_address() const = 0;
};

}  // namespace cairn::env
