// "host:port", as users and other nodes write addresses.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace cairn::env {

struct HostPort {
  std::string host;  // a name or an IP address, IPv6 without its brackets; not empty
  uint16_t port = 0;

  friend bool operator==(const HostPort&, const HostPort&) = default;
};

// Reads "host:port" or "[ipv6]:port". Errors: INVALID_ARGUMENT that quotes `address` and says what
// is wrong.
absl::StatusOr<HostPort> ParseHostPort(std::string_view address);

// The inverse; brackets around a host that has colons.
std::string FormatHostPort(std::string_view host, uint16_t port);

}  // namespace cairn::env
