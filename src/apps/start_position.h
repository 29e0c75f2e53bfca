// The value of --from: where to start reading.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "cairn/consumer.h"

namespace cairn::apps {

// "earliest", "latest", an offset ("42"), or a time: RFC 3339 ("2026-11-22T10:00:00Z") or
// milliseconds since the Unix epoch with the unit ("1795341600000ms"). Errors: INVALID_ARGUMENT
// naming the text and these forms.
absl::StatusOr<StartAt> ParseStartAt(std::string_view text);

}  // namespace cairn::apps
