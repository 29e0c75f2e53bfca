// From errno to absl::Status, by the table in file_system.h.
#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace cairn::env {

// The status of a failed call: "<operation> <path>: <what errno means>". `error` is an errno, not
// 0.
absl::Status PosixError(int error, std::string_view operation, std::string_view path);

}  // namespace cairn::env
