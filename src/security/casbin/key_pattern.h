// The path patterns of keyMatch2 to 5: text, `/*` for any rest, and a placeholder for a part
// without `/`, written
// `:name` (keyMatch2, keyGet2) or `{name}` (the others). The text between is a regular expression,
// as in Casbin. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "security/casbin/function.h"

namespace cairn::security::casbin {

struct KeyPattern {
  std::vector<std::string> names;  // of the placeholders, in their order
  std::vector<std::string>
      texts;          // before each placeholder, and behind the last: one more than names
  std::string regex;  // anchored; each placeholder is a group where values are asked for
  // True when no regular expression is needed: the texts are plain, each placeholder is a whole
  // segment.
  bool simple = false;
  bool any_rest = false;  // a simple pattern that ends in `/*`; the last text then ends in `/`
};

KeyPattern ParseKeyPattern(Function function, std::string_view text);

}  // namespace cairn::security::casbin
