// Glob patterns of globMatch as regular expressions: `*` and `?` stay within a segment, `**` as a
// whole segment stands for any number of them, [abc], [!a-z], {this,that}, and `\` before a
// character that means itself. Pure.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace cairn::security::casbin {

// Anchored, in RE2's syntax. Errors: INVALID_ARGUMENT for what is not closed, and for `!` or `#` at
// the start and
// `@(`, `+(` and the like, which mean something else to every implementation.
absl::StatusOr<std::string> GlobToRegex(std::string_view glob);

}  // namespace cairn::security::casbin
