// The outer form of a policy: comma-separated rows. What they mean is Policy's (policy.h). Pure;
// any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace cairn::security::casbin {

struct PolicyRow {
  std::vector<std::string>
      values;  // the first says what it is: p, g2; none for an empty line or a comment
};

// Reads one line. Values are trimmed; one in quotes keeps its commas, `""` in it is a quote; commas
// within parentheses separate nothing, so that rules for eval() need no quotes. Errors:
// INVALID_ARGUMENT saying why: quotes or parentheses that are not closed, a line longer than
// kMaxLineBytes.
absl::StatusOr<PolicyRow> ReadPolicyLine(std::string_view line);

}  // namespace cairn::security::casbin
