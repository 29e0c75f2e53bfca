#include "security/casbin/function.h"

#include <array>

namespace cairn::security::casbin {
namespace {

// In the order of the enumeration.
constexpr std::array<FunctionTraits, kFunctions> kTraits = {{
    {"keyMatch", 2, false},
    {"keyGet", 2, false},
    {"keyMatch2", 2, true},
    {"keyGet2", 3, true},
    {"keyMatch3", 2, true},
    {"keyGet3", 3, true},
    {"keyMatch4", 2, true},
    {"keyMatch5", 2, true},
    {"regexMatch", 2, true},
    {"ipMatch", 2, true},
    {"globMatch", 2, true},
}};

}  // namespace

const FunctionTraits& TraitsOf(Function function) { return kTraits[static_cast<size_t>(function)]; }

std::optional<Function> FindFunction(std::string_view name) {
  for (size_t i = 0; i < kTraits.size(); ++i) {
    if (kTraits[i].name == name) return static_cast<Function>(i);
  }
  return std::nullopt;
}

}  // namespace cairn::security::casbin
