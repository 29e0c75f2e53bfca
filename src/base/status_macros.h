// Early return on a failed absl::Status or absl::StatusOr.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define CAIRN_CONCAT_INNER(a, b) a##b
#define CAIRN_CONCAT(a, b) CAIRN_CONCAT_INNER(a, b)

// Returns the status of `expression` from the calling function when it is not OK.
#define CAIRN_RETURN_IF_ERROR(expression)                                                  \
  do {                                                                                     \
    if (absl::Status cairn_status = (expression); !cairn_status.ok()) return cairn_status; \
  } while (false)

// `CAIRN_ASSIGN_OR_RETURN(auto x, F());` — moves the value of F() into x, or returns its status.
#define CAIRN_ASSIGN_OR_RETURN(target, expression) \
  CAIRN_ASSIGN_OR_RETURN_INNER(CAIRN_CONCAT(cairn_statusor_, __LINE__), target, expression)
#define CAIRN_ASSIGN_OR_RETURN_INNER(result, target, expression) \
  auto result = (expression);                                    \
  if (!result.ok()) return std::move(result).status();           \
  target = std::move(result).value()
