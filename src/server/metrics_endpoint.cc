#include "server/metrics_endpoint.h"

#include <array>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_split.h"
#include "base/strings.h"
#include "http/query.h"
#include "telemetry/prometheus_text.h"

namespace cairn::server {

namespace {

int StatusOf(const absl::Status& error) {
  switch (error.code()) {
    case absl::StatusCode::kInvalidArgument:
      return 400;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return 503;
    default:
      return 500;
  }
}

http::Response ToResponse(absl::StatusOr<std::string> text) {
  if (!text.ok()) {
    return {.status = StatusOf(text.status()),
            .body = base::StrCat(base::StdView(text.status().message()), "\n")};
  }
  return {.content_type = std::string(telemetry::kPrometheusTextType), .body = *std::move(text)};
}

constexpr std::array<std::string_view, 2> kMetricsParameters = {"node", "names"};

}  // namespace

void MetricsEndpoint::AddTo(http::RouteTable& routes) {
  routes.AddSlow("GET", "/metrics",
                 [this](const http::Request& request, http::RouteTable::Respond respond) {
                   const absl::Status may = guard_.Check(request, security::Action::kDescribe, {});
                   if (may.ok()) return Ask(request.query, std::move(respond));
                   respond({.status = absl::IsUnauthenticated(may) ? 401 : 403,
                            .body = base::StrCat(base::StdView(may.message()), "\n")});
                 });
}

void MetricsEndpoint::Ask(const std::string& query, http::RouteTable::Respond respond) const {
  const auto parsed = http::Query::Parse(query, kMetricsParameters);
  if (!parsed.ok()) return respond(ToResponse(parsed.status()));
  const auto node = parsed->Number("node", 0, 1, std::numeric_limits<int32_t>::max());
  if (!node.ok()) return respond(ToResponse(node.status()));
  cluster::Inquiry inquiry{.what = cluster::Inquiry::What::kMetrics};
  if (const std::string* names = parsed->Find("names")) {
    inquiry.names = absl::StrSplit(*names, ',');
  }
  ask_node_(NodeId(static_cast<int32_t>(*node)), std::move(inquiry),
            [respond = std::move(respond)](absl::StatusOr<std::string> text) mutable {
              respond(ToResponse(std::move(text)));
            });
}

}  // namespace cairn::server
