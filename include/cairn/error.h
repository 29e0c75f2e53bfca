// What a program can act on in an error that cairn returned: a reason such as "UNKNOWN_TOPIC" and
// named values such as "log_start". docs/errors.md lists them.
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "cairn/export.h"

namespace cairn {

// The reason of `status`; empty when it has none (it then comes from the network or the library
// itself).
CAIRN_EXPORT std::string ErrorReason(const absl::Status& status);

// The values that belong to the reason; empty when there are none.
CAIRN_EXPORT std::map<std::string, std::string> ErrorMetadata(const absl::Status& status);

}  // namespace cairn
