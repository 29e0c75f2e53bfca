// The words of an expression. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace cairn::security::casbin {

struct Token {
  enum class Kind : uint8_t {
    kEnd,
    kNumber,
    kText,    // in quotes; `text` is what they hold
    kName,    // letters, digits, _ and $; any byte from 0x80 counts as a letter
    kSymbol,  // an operator, a parenthesis, a comma or a dot
  };

  Kind kind = Kind::kEnd;
  uint32_t column = 0;  // from 1
  double number = 0;
  std::string text;

  bool Is(std::string_view symbol) const { return kind == Kind::kSymbol && text == symbol; }
};

// The last token is kEnd. Errors: INVALID_ARGUMENT "column N: why".
absl::StatusOr<std::vector<Token>> ReadTokens(std::string_view text);

}  // namespace cairn::security::casbin
