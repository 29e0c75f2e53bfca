#include "server/metrics_endpoint.h"

#include <string>
#include <utility>

#include "base/strings.h"
#include "telemetry/prometheus_text.h"

namespace cairn::server {

void MetricsEndpoint::AddTo(http::RouteTable& routes) {
  routes.AddSlow("GET", "/metrics",
                 [this](const http::Request& request, http::RouteTable::Respond respond) {
                   const absl::Status may = guard_.Check(request, security::Action::kDescribe, {});
                   if (may.ok() && !request.query.empty()) {
                     return respond({.status = 400, .body = "/metrics takes no parameters\n"});
                   }
                   if (may.ok()) return Ask(std::move(respond));
                   respond({.status = absl::IsUnauthenticated(may) ? 401 : 403,
                            .body = base::StrCat(base::StdView(may.message()), "\n")});
                 });
}

void MetricsEndpoint::Ask(http::RouteTable::Respond respond) {
  {
    base::MutexLock lock(mutex_);
    waiting_.push_back(std::move(respond));
    if (waiting_.size() > 1) return;  // the answer that is on its way begins later
  }
  executor_.Post([this] { Answer(); });
}

void MetricsEndpoint::Answer() {
  std::vector<http::RouteTable::Respond> asked;
  {
    base::MutexLock lock(mutex_);
    asked = std::exchange(waiting_, {});
  }
  http::Response response;
  if (stopped_) {
    response = {.status = 503, .body = "shutting down\n"};
  } else {
    response = {.content_type = std::string(telemetry::kPrometheusTextType),
                .body = telemetry::ToPrometheusText(registry_.Collect())};
  }
  for (auto& respond : asked) respond(response);
}

void MetricsEndpoint::Stop(absl::AnyInvocable<void()> done) {
  executor_.Post([this, done = std::move(done)]() mutable {
    stopped_ = true;
    done();
  });
}

}  // namespace cairn::server
