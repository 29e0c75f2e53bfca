// What an expression computes with: JavaScript's primitive values and its rules for them (ECMA-262,
// sections 7.1 and 7.2), as node-casbin has them, and objects and arrays of a request. There is no
// `undefined`: whatever would give it is an error. Pure; any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace cairn::security::casbin {

// A view: texts and objects belong to the request, the policy or the evaluation.
struct Value {
  enum class Kind : unsigned char { kNull, kBool, kNumber, kText, kObject };

  Kind kind = Kind::kNull;
  bool boolean = false;
  double number = 0;
  std::string_view text;
  const nlohmann::json* object = nullptr;  // an object or an array

  static Value Bool(bool value) { return {.kind = Kind::kBool, .boolean = value}; }
  static Value Number(double value) { return {.kind = Kind::kNumber, .number = value}; }
  static Value Text(std::string_view value) { return {.kind = Kind::kText, .text = value}; }
  // A part of a request: its primitives become those above.
  static Value Json(const nlohmann::json& value);

  bool is_text() const { return kind == Kind::kText; }
  bool is_object() const { return kind == Kind::kObject; }
};

// Whether `value` counts as true: everything but false, null, 0, NaN and "".
bool Truthy(const Value& value);

// The rest takes no objects: nullopt or NaN stand for "not comparable" and "not a number".
double ToNumber(const Value& value);
std::string ToText(const Value& value);
// `==`: values of two kinds are compared as numbers.
bool LooselyEqual(const Value& left, const Value& right);
// As `==`, but values of two kinds are never equal; what `in` asks.
bool StrictlyEqual(const Value& left, const Value& right);
// `<`: texts by their bytes, everything else as numbers; nullopt when one is not a number.
std::optional<int> Order(const Value& left, const Value& right);

}  // namespace cairn::security::casbin
