// Where a node's gossip is: an IP address and a port, as the protocol carries them.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace cairn::gossip {

// A value. IPv4 addresses written as IPv6 (::ffff:a.b.c.d) become IPv4, so that one place has one
// address.
class Address {
 public:
  Address() = default;  // no address

  // 4 or 16 bytes in network order, or none. Errors: INVALID_ARGUMENT for any other number.
  static absl::StatusOr<Address> FromBytes(std::string_view ip, uint16_t port);
  // "a.b.c.d:port" or "[ipv6]:port"; a name is no address. Errors: INVALID_ARGUMENT.
  static absl::StatusOr<Address> Parse(std::string_view text);

  // The 4 or 16 bytes; empty without an address. Valid while this is.
  std::string_view ip() const { return {reinterpret_cast<const char*>(ip_.data()), ip_bytes_}; }
  uint16_t port() const { return port_; }
  bool empty() const { return ip_bytes_ == 0; }
  // Can be sent to.
  bool reachable() const { return ip_bytes_ != 0 && port_ != 0; }

  // As Parse reads it; "-" without an address.
  std::string ToString() const;

  friend auto operator<=>(const Address&, const Address&) = default;

 private:
  std::array<uint8_t, 16> ip_ = {};
  uint8_t ip_bytes_ = 0;
  uint16_t port_ = 0;
};

}  // namespace cairn::gossip
