#include "security/casbin/ip_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <string>

namespace cairn::security::casbin {
namespace {

constexpr size_t kLongestAddress = 45;  // eight groups, the last two as IPv4
constexpr int kV4Offset = 96;

bool IsV4(const IpBytes& address) {
  constexpr IpBytes kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return std::equal(address.begin(), address.begin() + 12, kMapped.begin());
}

uint8_t MaskByte(int prefix, int byte) {
  const int bits = std::clamp(prefix - byte * 8, 0, 8);
  return static_cast<uint8_t>(0xff00 >> bits);
}

}  // namespace

std::optional<IpBytes> ParseIp(std::string_view text) {
  if (text.size() > kLongestAddress) return std::nullopt;
  const std::string terminated(text);
  if (terminated.find('\0') != std::string::npos) return std::nullopt;
  IpBytes bytes{};
  if (inet_pton(AF_INET, terminated.c_str(), bytes.data() + 12) == 1) {
    bytes[10] = bytes[11] = 0xff;
    return bytes;
  }
  if (inet_pton(AF_INET6, terminated.c_str(), bytes.data()) == 1) return bytes;
  return std::nullopt;
}

bool IpRange::Contains(const IpBytes& address) const {
  if (IsV4(base) != IsV4(address)) return false;
  for (int i = 0; i < 16; ++i) {
    const auto at = static_cast<size_t>(i);
    if (((base[at] ^ address[at]) & MaskByte(prefix, i)) != 0) return false;
  }
  return true;
}

std::optional<IpRange> ParseIpRange(std::string_view text) {
  const size_t slash = text.find('/');
  const auto address = ParseIp(text.substr(0, slash));
  if (!address.has_value()) return std::nullopt;
  IpRange range{.base = *address};
  if (slash == std::string_view::npos) return range;
  const std::string_view bits = text.substr(slash + 1);
  const bool v4 = text.substr(0, slash).find(':') == std::string_view::npos;
  const auto [end, error] = std::from_chars(bits.data(), bits.data() + bits.size(), range.prefix);
  if (error != std::errc() || end != bits.data() + bits.size() || range.prefix < 0 ||
      range.prefix > (v4 ? 32 : 128)) {
    return std::nullopt;
  }
  if (v4) range.prefix += kV4Offset;
  for (int i = 0; i < 16; ++i) range.base[static_cast<size_t>(i)] &= MaskByte(range.prefix, i);
  return range;
}

}  // namespace cairn::security::casbin
