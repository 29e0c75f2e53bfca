// StrongInt<Tag, Rep>: an integer with a type of its own, so that an offset is never passed for an
// index.
#pragma once

#include <compare>
#include <cstddef>
#include <functional>
#include <ostream>
#include <type_traits>

namespace cairn::base {

// Construction from an integer is explicit; distance arithmetic (value + n, value - value) is
// allowed because offsets and indexes are positions. Thread-compatible value type.
template <typename Tag, typename Rep>
class StrongInt {
 public:
  using Representation = Rep;
  static_assert(std::is_integral_v<Rep>);

  constexpr StrongInt() = default;
  explicit constexpr StrongInt(Rep value) : value_(value) {}

  constexpr Rep value() const { return value_; }

  friend constexpr auto operator<=>(StrongInt, StrongInt) = default;
  friend constexpr StrongInt operator+(StrongInt a, Rep n) {
    return StrongInt(static_cast<Rep>(a.value_ + n));
  }
  friend constexpr StrongInt operator-(StrongInt a, Rep n) {
    return StrongInt(static_cast<Rep>(a.value_ - n));
  }
  friend constexpr Rep operator-(StrongInt a, StrongInt b) {
    return static_cast<Rep>(a.value_ - b.value_);
  }
  constexpr StrongInt& operator+=(Rep n) {
    value_ = static_cast<Rep>(value_ + n);
    return *this;
  }
  constexpr StrongInt& operator++() {
    ++value_;
    return *this;
  }

  friend std::ostream& operator<<(std::ostream& out, StrongInt v) { return out << +v.value_; }
  template <typename H>
  friend H AbslHashValue(H h, StrongInt v) {
    return H::combine(std::move(h), v.value_);
  }

 private:
  Rep value_ = 0;
};

}  // namespace cairn::base

template <typename Tag, typename Rep>
struct std::hash<cairn::base::StrongInt<Tag, Rep>> {
  std::size_t operator()(cairn::base::StrongInt<Tag, Rep> v) const {
    return std::hash<Rep>()(v.value());
  }
};
