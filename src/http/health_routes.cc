#include "http/health_routes.h"

#include <string>
#include <utility>

#include "absl/strings/str_split.h"
#include "base/strings.h"

namespace cairn::http {
namespace {

bool IsVerbose(std::string_view query) {
  for (const absl::string_view part : absl::StrSplit(base::AbslView(query), '&')) {
    if (part == "verbose" || part.substr(0, 8) == "verbose=") return true;
  }
  return false;
}

std::string Line(const HealthCheck& check) {
  if (check.status.ok()) return base::StrCat("[+]", check.name, " ok\n");
  return base::StrCat(
      check.tolerated ? "[!]" : "[-]", check.name,
      check.tolerated ? " tolerated: " : " failed: ", base::StdView(check.status.message()), "\n");
}

}  // namespace

absl::Status Readiness(const std::vector<HealthCheck>& checks) {
  for (const HealthCheck& check : checks) {
    if (!check.status.ok() && !check.tolerated) return check.status;
  }
  return absl::OkStatus();
}

void AddHealthRoutes(RouteTable& routes, absl::AnyInvocable<std::vector<HealthCheck>()> checks) {
  routes.Add("GET", "/livez", [](const Request&) { return Response{.body = "ok\n"}; });
  routes.Add("GET", "/readyz", [checks = std::move(checks)](const Request& request) mutable {
    const std::vector<HealthCheck> results = checks();
    const absl::Status status = Readiness(results);
    Response response{.status = status.ok() ? 200 : 503};
    if (IsVerbose(request.query)) {
      for (const HealthCheck& check : results) response.body += Line(check);
    }
    response.body +=
        status.ok() ? "ok\n" : base::StrCat("not ready: ", base::StdView(status.message()), "\n");
    return response;
  });
}

}  // namespace cairn::http
