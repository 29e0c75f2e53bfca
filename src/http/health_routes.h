// /livez and /readyz.
#pragma once

#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "http/route_table.h"

namespace cairn::http {

// One thing that has to be so, or should be so, for a server to be of use.
struct HealthCheck {
  std::string_view name;   // a literal, a word
  absl::Status status;     // OK, or why not
  bool tolerated = false;  // a failure is told, and leaves the server ready
};

// OK, or the first failure that is not tolerated.
absl::Status Readiness(const std::vector<HealthCheck>& checks);

// GET /livez answers 200 whenever the process can answer at all. GET /readyz asks `checks` (on the
// loop; it must not block): 200 when it is ready, otherwise 503 with the reason. With `verbose` in
// the query it lists every check in a line of its own: "[+]NAME ok", "[-]NAME failed: WHY",
// "[!]NAME tolerated: WHY".
void AddHealthRoutes(RouteTable& routes, absl::AnyInvocable<std::vector<HealthCheck>()> checks);

}  // namespace cairn::http
