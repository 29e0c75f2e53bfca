// The outer form of a model: sections, `key = value`, comments, continued lines. What the values
// mean is Model's (model.h). Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace cairn::security::casbin {

// One `key = value` below a `[section]`.
struct Definition {
  std::string section;
  std::string key;
  std::string value;
  int line = 0;  // where its first line stands, from 1
};

// Reads a model file. As in Casbin a `#` or `;` begins a comment wherever it stands, also in
// quotes, and a line that ends in `\` goes on in the next. `file` is only for messages. Errors:
// INVALID_ARGUMENT "FILE:LINE: why" for text outside a section, a line without `=`, an empty key or
// value, a section or key that comes twice, and what is too large (limits.h).
absl::StatusOr<std::vector<Definition>> ReadModelFile(std::string_view text, std::string_view file);

}  // namespace cairn::security::casbin
