// A 128-bit identity, made from random bits (RFC 9562 version 4).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace cairn::base {

class Uuid {
 public:
  // The nil UUID, all zeros.
  constexpr Uuid() = default;
  explicit constexpr Uuid(std::array<uint8_t, 16> bytes) : bytes_(bytes) {}

  // A version-4 UUID from 128 random bits.
  static Uuid FromRandom(uint64_t high, uint64_t low);

  // Reads "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx". Errors: INVALID_ARGUMENT naming the text.
  static absl::StatusOr<Uuid> Parse(std::string_view text);

  std::string ToString() const;
  const std::array<uint8_t, 16>& bytes() const { return bytes_; }
  bool is_nil() const { return *this == Uuid(); }

  friend constexpr auto operator<=>(const Uuid&, const Uuid&) = default;

 private:
  std::array<uint8_t, 16> bytes_{};
};

}  // namespace cairn::base
