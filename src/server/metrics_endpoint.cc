#include "server/metrics_endpoint.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "base/strings.h"
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

struct Query {
  NodeId node;  // 0: this one
  std::vector<std::string> names;
};

absl::StatusOr<Query> ParseQuery(std::string_view text) {
  Query query;
  if (text.empty()) return query;
  for (const absl::string_view piece : absl::StrSplit(base::AbslView(text), '&')) {
    const std::string_view part = base::StdView(piece);
    const size_t equals = std::min(part.find('='), part.size());
    const std::string_view key = part.substr(0, equals);
    const std::string_view value = part.substr(std::min(equals + 1, part.size()));
    int32_t id = 0;
    if (key == "node" && query.node.value() == 0 && absl::SimpleAtoi(base::AbslView(value), &id) &&
        id > 0) {
      query.node = NodeId(id);
    } else if (key == "name") {
      query.names.emplace_back(value);
    } else {
      return absl::InvalidArgumentError(
          "/metrics takes node=ID, once, with the number of a node, and name=PREFIX");
    }
  }
  return query;
}

}  // namespace

void MetricsEndpoint::AddTo(http::RouteTable& routes) {
  routes.AddSlow("GET", "/metrics",
                 [this](const http::Request& request, http::RouteTable::Respond respond) {
                   const absl::Status may = Check(request);
                   if (may.ok()) return Ask(request.query, std::move(respond));
                   respond({.status = absl::IsUnauthenticated(may) ? 401 : 403,
                            .body = base::StrCat(base::StdView(may.message()), "\n")});
                 });
}

absl::Status MetricsEndpoint::Check(const http::Request& request) const {
  if (access_ == nullptr) {
    if (!shown_a_name_ || !request.subject.empty()) return absl::OkStatus();
    return absl::UnauthenticatedError("no certificate with a name was shown");
  }
  return access_->Check({.subject = request.subject, .address = request.address},
                        security::Action::kDescribe, {});
}

void MetricsEndpoint::Ask(const std::string& query, http::RouteTable::Respond respond) const {
  auto parsed = ParseQuery(query);
  if (!parsed.ok()) return respond(ToResponse(parsed.status()));
  ask_node_(parsed->node,
            {.what = cluster::Inquiry::What::kMetrics, .names = std::move(parsed->names)},
            [respond = std::move(respond)](absl::StatusOr<std::string> text) mutable {
              respond(ToResponse(std::move(text)));
            });
}

}  // namespace cairn::server
