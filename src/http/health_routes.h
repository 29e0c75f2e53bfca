// /livez and /readyz.
#pragma once

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "http/route_table.h"

namespace cairn::http {

// GET /livez answers 200 whenever the process can answer at all. GET /readyz asks `readiness` (on
// the loop; it must not block): 200 for OK, otherwise 503 with the status' message.
void AddHealthRoutes(RouteTable& routes, absl::AnyInvocable<absl::Status()> readiness);

}  // namespace cairn::http
