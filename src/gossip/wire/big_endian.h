// Fixed-width integers in network order, as memberlist frames its messages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace cairn::gossip {

template <typename T>
void AppendBigEndian(std::string& to, T value) {
  for (size_t i = sizeof(T); i > 0; --i) to.push_back(static_cast<char>(value >> (8 * (i - 1))));
}

// `bytes` has at least sizeof(T).
template <typename T>
T LoadBigEndian(std::string_view bytes) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>(value << 8 | static_cast<uint8_t>(bytes[i]));
  }
  return value;
}

}  // namespace cairn::gossip
