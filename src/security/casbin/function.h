// The functions a matcher may call. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace cairn::security::casbin {

enum class Function : uint8_t {
  kKeyMatch,
  kKeyGet,
  kKeyMatch2,
  kKeyGet2,
  kKeyMatch3,
  kKeyGet3,
  kKeyMatch4,
  kKeyMatch5,
  kRegexMatch,
  kIpMatch,
  kGlobMatch,
};
inline constexpr int kFunctions = 11;

struct FunctionTraits {
  std::string_view name;
  int arguments;
  bool has_pattern;  // the second argument is a Pattern
};

const FunctionTraits& TraitsOf(Function function);
std::optional<Function> FindFunction(std::string_view name);

}  // namespace cairn::security::casbin
