#include "http/health_routes.h"

#include <string>
#include <utility>

#include "base/strings.h"

namespace cairn::http {

void AddHealthRoutes(RouteTable& routes, absl::AnyInvocable<absl::Status()> readiness) {
  routes.Add("GET", "/livez", [](const Request&) { return Response{.body = "ok\n"}; });
  routes.Add("GET", "/readyz", [readiness = std::move(readiness)](const Request&) mutable {
    const absl::Status status = readiness();
    if (status.ok()) return Response{.body = "ok\n"};
    return Response{.status = 503,
                    .body = base::StrCat("not ready: ", base::StdView(status.message()), "\n")};
  });
}

}  // namespace cairn::http
