// Addresses as ipMatch compares them: those of Go's net package, where ::ffff:1.2.3.4 is 1.2.3.4.
// Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace cairn::security::casbin {

using IpBytes = std::array<uint8_t, 16>;  // IPv4 as ::ffff:a.b.c.d

std::optional<IpBytes> ParseIp(std::string_view text);

struct IpRange {
  IpBytes base{};
  int prefix = 128;  // bits of `base` that count

  bool Contains(const IpBytes& address) const;
};

// An address, or `address/bits`.
std::optional<IpRange> ParseIpRange(std::string_view text);

}  // namespace cairn::security::casbin
