#include "security/casbin/value.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "base/strings.h"

namespace cairn::security::casbin {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double DigitsToNumber(std::string_view digits, int base) {
  if (digits.empty()) return kNaN;
  double number = 0;
  for (const char c : digits) {
    int digit = 0;
    const auto [end, error] = std::from_chars(&c, &c + 1, digit, base);
    if (error != std::errc()) return kNaN;
    number = number * base + digit;
  }
  return number;
}

double TextToNumber(std::string_view text) {
  text = base::StdView(absl::StripAsciiWhitespace(base::AbslView(text)));
  if (text.empty()) return 0;
  if (text.size() > 2 && text[0] == '0') {
    const char kind = absl::ascii_tolower(static_cast<unsigned char>(text[1]));
    if (kind == 'x') return DigitsToNumber(text.substr(2), 16);
    if (kind == 'o') return DigitsToNumber(text.substr(2), 8);
    if (kind == 'b') return DigitsToNumber(text.substr(2), 2);
  }
  const bool negative = text[0] == '-';
  if (negative || text[0] == '+') text.remove_prefix(1);
  double number = 0;
  if (text == "Infinity") {
    number = std::numeric_limits<double>::infinity();
  } else {
    // from_chars also knows words and another sign, which are no numbers here.
    if (text.empty() ||
        !(absl::ascii_isdigit(static_cast<unsigned char>(text[0])) || text[0] == '.')) {
      return kNaN;
    }
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc::invalid_argument || end != text.data() + text.size()) return kNaN;
    if (error == std::errc::result_out_of_range) return kNaN;
  }
  return negative ? -number : number;
}

// ECMA-262, Number::toString: the shortest digits that read back the same.
std::string NumberToText(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number < 0 ? "-Infinity" : "Infinity";
  if (number == 0) return "0";
  std::array<char, 40> buffer{};
  const auto written = std::to_chars(buffer.data(), buffer.data() + buffer.size(), std::abs(number),
                                     std::chars_format::scientific);
  const std::string_view text(buffer.data(), static_cast<size_t>(written.ptr - buffer.data()));
  const size_t e = text.find('e');
  std::string digits(text.substr(0, e));
  digits.erase(std::remove(digits.begin(), digits.end(), '.'), digits.end());
  int exponent = 0;
  const std::string_view power = text.substr(text[e + 1] == '+' ? e + 2 : e + 1);
  std::from_chars(power.data(), power.data() + power.size(), exponent);
  const int count = static_cast<int>(digits.size());
  const int point = exponent + 1;  // digits before the decimal point
  std::string result = number < 0 ? "-" : "";
  if (count <= point && point <= 21) {
    result += digits + std::string(static_cast<size_t>(point - count), '0');
  } else if (0 < point && point <= 21) {
    result += digits.substr(0, static_cast<size_t>(point)) + "." +
              digits.substr(static_cast<size_t>(point));
  } else if (-6 < point && point <= 0) {
    result += "0." + std::string(static_cast<size_t>(-point), '0') + digits;
  } else {
    result += digits.substr(0, 1);
    if (count > 1) result += "." + digits.substr(1);
    result += (point > 0 ? "e+" : "e-") + std::to_string(std::abs(point - 1));
  }
  return result;
}

}  // namespace

Value Value::Json(const nlohmann::json& value) {
  if (value.is_string()) return Text(*value.get_ptr<const std::string*>());
  if (value.is_boolean()) return Bool(*value.get_ptr<const bool*>());
  if (value.is_number()) return Number(value.get<double>());
  if (value.is_object() || value.is_array()) return {.kind = Kind::kObject, .object = &value};
  return {};
}

bool Truthy(const Value& value) {
  switch (value.kind) {
    case Value::Kind::kNull:
      return false;
    case Value::Kind::kBool:
      return value.boolean;
    case Value::Kind::kNumber:
      return value.number != 0 && !std::isnan(value.number);
    case Value::Kind::kText:
      return !value.text.empty();
    case Value::Kind::kObject:
      return true;
  }
  return false;
}

double ToNumber(const Value& value) {
  switch (value.kind) {
    case Value::Kind::kNull:
      return 0;
    case Value::Kind::kBool:
      return value.boolean ? 1 : 0;
    case Value::Kind::kNumber:
      return value.number;
    case Value::Kind::kText:
      return TextToNumber(value.text);
    case Value::Kind::kObject:
      break;
  }
  return kNaN;
}

std::string ToText(const Value& value) {
  switch (value.kind) {
    case Value::Kind::kBool:
      return value.boolean ? "true" : "false";
    case Value::Kind::kNumber:
      return NumberToText(value.number);
    case Value::Kind::kText:
      return std::string(value.text);
    case Value::Kind::kNull:
    case Value::Kind::kObject:
      break;
  }
  return "null";
}

bool StrictlyEqual(const Value& left, const Value& right) {
  if (left.kind != right.kind) return false;
  switch (left.kind) {
    case Value::Kind::kNull:
      return true;
    case Value::Kind::kBool:
      return left.boolean == right.boolean;
    case Value::Kind::kNumber:
      return left.number == right.number;
    case Value::Kind::kText:
      return left.text == right.text;
    case Value::Kind::kObject:
      return false;
  }
  return false;
}

bool LooselyEqual(const Value& left, const Value& right) {
  if (left.kind == right.kind) return StrictlyEqual(left, right);
  if (left.kind == Value::Kind::kNull || right.kind == Value::Kind::kNull) return false;
  return ToNumber(left) == ToNumber(right);
}

std::optional<int> Order(const Value& left, const Value& right) {
  if (left.is_text() && right.is_text()) {
    const int order = left.text.compare(right.text);
    return order < 0 ? -1 : (order > 0 ? 1 : 0);
  }
  const double a = ToNumber(left);
  const double b = ToNumber(right);
  if (std::isnan(a) || std::isnan(b)) return std::nullopt;
  return a < b ? -1 : (a > b ? 1 : 0);
}

}  // namespace cairn::security::casbin
