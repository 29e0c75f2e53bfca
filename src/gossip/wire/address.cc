#include "gossip/wire/address.h"

#include <arpa/inet.h>

#include <algorithm>

#include "base/status_macros.h"
#include "base/strings.h"
#include "env/host_port.h"

namespace cairn::gossip {
namespace {

// RFC 4291, section 2.5.5.2.
constexpr std::string_view kMappedPrefix("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);

}  // namespace

absl::StatusOr<Address> Address::FromBytes(std::string_view ip, uint16_t port) {
  if (ip.size() == 16 && ip.substr(0, kMappedPrefix.size()) == kMappedPrefix) {
    ip.remove_prefix(kMappedPrefix.size());
  }
  if (!ip.empty() && ip.size() != 4 && ip.size() != 16) {
    return absl::InvalidArgumentError(base::StrCat("an IP address of ", ip.size(), " bytes"));
  }
  Address address;
  if (ip.empty()) return address;  // a port alone is nowhere
  std::copy_n(ip.begin(), ip.size(), address.ip_.begin());
  address.ip_bytes_ = static_cast<uint8_t>(ip.size());
  address.port_ = port;
  return address;
}

absl::StatusOr<Address> Address::Parse(std::string_view text) {
  CAIRN_ASSIGN_OR_RETURN(const env::HostPort parts, env::ParseHostPort(text));
  char ip[16];
  for (const auto& [family, size] : {std::pair(AF_INET, 4), std::pair(AF_INET6, 16)}) {
    if (inet_pton(family, parts.host.c_str(), ip) == 1) {
      return FromBytes({ip, static_cast<size_t>(size)}, parts.port);
    }
  }
  return absl::InvalidArgumentError(base::StrCat(text, ": not an IP address and a port"));
}

std::string Address::ToString() const {
  if (empty()) return "-";
  char text[INET6_ADDRSTRLEN];
  inet_ntop(ip_bytes_ == 4 ? AF_INET : AF_INET6, ip_.data(), text, sizeof text);
  return env::FormatHostPort(text, port_);
}

}  // namespace cairn::gossip
