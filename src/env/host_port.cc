#include "env/host_port.h"

#include <charconv>

#include "absl/strings/escaping.h"
#include "base/strings.h"

namespace cairn::env {
namespace {

// A DNS name has at most 253 characters and an IPv6 address with its zone fewer; more is nonsense.
constexpr size_t kMaxAddressBytes = 300;

absl::Status Malformed(std::string_view address, std::string_view why) {
  return absl::InvalidArgumentError(
      base::StrCat("\"", absl::CHexEscape(base::AbslView(address.substr(0, kMaxAddressBytes))),
                   "\" is not an address: ", why, " (want host:port)"));
}

}  // namespace

absl::StatusOr<HostPort> ParseHostPort(std::string_view address) {
  if (address.size() > kMaxAddressBytes) return Malformed(address, "it is too long");
  const size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return Malformed(address, "it has no port");
  std::string_view host = address.substr(0, colon);
  const std::string_view digits = address.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return Malformed(address, "an IPv6 address needs brackets");
  }
  if (host.empty()) return Malformed(address, "it has no host");
  for (const char c : host) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '[' || c == ']' || c == '/' || c == '\x7f') {
      return Malformed(address, "the host has an illegal character");
    }
  }
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) {
    return Malformed(address, "the port is not a number from 0 to 65535");
  }
  return HostPort{std::string(host), port};
}

std::string FormatHostPort(std::string_view host, uint16_t port) {
  if (host.find(':') == std::string_view::npos) return base::StrCat(host, ":", port);
  return base::StrCat("[", host, "]:", port);
}

}  // namespace cairn::env
