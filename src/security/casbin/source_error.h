// The error of a file: "policy.csv:12: why". Every complaint about a model or policy has this form.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "base/strings.h"

namespace cairn::security::casbin {

inline absl::Status SourceError(std::string_view file, int line, std::string_view why) {
  return absl::InvalidArgumentError(base::StrCat(file, ":", line, ": ", why));
}

}  // namespace cairn::security::casbin
