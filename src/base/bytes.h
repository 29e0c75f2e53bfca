// Little-endian fixed-width integers and zig-zag varints, read and written without alignment
// demands.
//
// Everything cairn stores is little-endian; the varints are those of Kafka's record format (and
// protobuf's sint32/sint64): https://kafka.apache.org/documentation/#recordbatch.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace cairn::base {

static_assert(std::endian::native == std::endian::little,
              "the fast paths below copy native integers; port them before building elsewhere");

template <typename T>
inline T LoadLittleEndian(const char* from) {
  static_assert(std::is_integral_v<T>);
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

template <typename T>
inline void StoreLittleEndian(char* to, T value) {
  static_assert(std::is_integral_v<T>);
  std::memcpy(to, &value, sizeof(T));
}

template <typename T>
inline void AppendLittleEndian(std::string& to, T value) {
  char bytes[sizeof(T)];
  StoreLittleEndian(bytes, value);
  to.append(bytes, sizeof(T));
}

inline constexpr int kMaxVarintBytes = 10;

inline uint64_t ZigZagEncode(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}
inline int64_t ZigZagDecode(uint64_t value) {
  return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
}

// Bytes that EncodeVarint writes for `value`, 1 to 10.
inline int VarintSize(int64_t value) { return (std::bit_width(ZigZagEncode(value) | 1) + 6) / 7; }

// Writes `value` and returns the first byte behind it. `to` has room for VarintSize(value) bytes.
inline char* EncodeVarint(char* to, int64_t value) {
  uint64_t rest = ZigZagEncode(value);
  while (rest >= 0x80) {
    *to++ = static_cast<char>(rest | 0x80);
    rest >>= 7;
  }
  *to++ = static_cast<char>(rest);
  return to;
}

// Reads one varint from [from, end). Returns the first byte behind it, or nullptr when the bytes
// end early or the varint is longer than 64 bits; `value` is then unspecified.
inline const char* DecodeVarint(const char* from, const char* end, int64_t& value) {
  if (from < end && static_cast<unsigned char>(*from) < 0x80) [[likely]] {
    value = ZigZagDecode(static_cast<unsigned char>(*from));
    return from + 1;
  }
  uint64_t raw = 0;
  for (int shift = 0; from < end && shift < 70; shift += 7) {
    const auto byte = static_cast<unsigned char>(*from++);
    if (shift == 63 && byte > 1) return nullptr;
    raw |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      value = ZigZagDecode(raw);
      return from;
    }
  }
  return nullptr;
}

}  // namespace cairn::base
