#include "server/health.h"

#include <algorithm>
#include <utility>

namespace cairn::server {
namespace {

constexpr std::string_view kServing = "serving";
constexpr std::string_view kMember = "member";

}  // namespace

std::vector<http::HealthCheck> CheckHealth(const cluster::Node& node, bool serving) {
  const broker::BrokerStats stats = node.stats();
  cluster::NodeHealth health = node.Health();
  const bool none_serves = stats.partitions > 0 && stats.failed_partitions == stats.partitions;
  return {
      {.name = kServing,
       .status = serving ? absl::OkStatus()
                         : absl::UnavailableError("the server is starting or shutting down")},
      {.name = kMember, .status = std::move(health.member)},
      {.name = "replicas", .status = std::move(health.replicas)},
      {.name = "leaders", .status = std::move(health.leaders)},
      {.name = "active", .status = std::move(health.active)},
      {.name = "disk",
       .status =
           stats.disk_full ? absl::ResourceExhaustedError("the disk is full") : absl::OkStatus()},
      // One damaged topic does not take the node away from the clients of the others.
      {.name = "logs",
       .status = none_serves ? absl::UnavailableError(
                                   "no partition serves: the disk failed or every log is damaged")
                             : std::move(health.logs),
       .tolerated = !none_serves},
  };
}

bool Serves(std::string_view service, const std::vector<http::HealthCheck>& checks) {
  if (service != rpc::kAdminService) return http::Readiness(checks).ok();
  return std::all_of(checks.begin(), checks.end(), [](const http::HealthCheck& check) {
    return check.status.ok() || (check.name != kServing && check.name != kMember);
  });
}

HealthWatch::HealthWatch(env::Executor& executor, Checks checks, SetServing set)
    : executor_(executor), checks_(std::move(checks)), set_(std::move(set)) {}

void HealthWatch::Start() {
  Look();
  executor_.Post([this] { LookLater(); });
}

void HealthWatch::Stop(absl::AnyInvocable<void()> done) {
  executor_.Post([this, done = std::move(done)]() mutable {
    executor_.Cancel(timer_);
    for (size_t i = 0; i < told_.size(); ++i) Set(i, false);
    done();
  });
}

void HealthWatch::Look() {
  const std::vector<http::HealthCheck> checks = checks_();
  for (size_t i = 0; i < told_.size(); ++i) Set(i, Serves(rpc::kHealthServices[i], checks));
}

void HealthWatch::Set(size_t service, bool serving) {
  if (std::exchange(told_[service], serving) != serving) {
    set_(rpc::kHealthServices[service], serving);
  }
}

void HealthWatch::LookLater() {
  timer_ = executor_.PostAfter(kIntervalNs, [this] {
    Look();
    LookLater();
  });
}

}  // namespace cairn::server
