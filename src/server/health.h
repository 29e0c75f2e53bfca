// What a server can say about itself: the checks behind /readyz and grpc.health.v1.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "cluster/node.h"
#include "env/executor.h"
#include "http/health_routes.h"
#include "rpc/grpc_server.h"

namespace cairn::server {

// Every check by name. `serving` is whether the server has started and does not stop. Does not
// block.
std::vector<http::HealthCheck> CheckHealth(const cluster::Node& node, bool serving);

// Whether a service of rpc::kHealthServices serves: the log when everything is so that clients
// should come here; Admin as soon as the node is a member, because it is what repairs the rest.
bool Serves(std::string_view service, const std::vector<http::HealthCheck>& checks);

// HealthWatch: looks at the checks again and again, and tells grpc.health.v1 of what has changed.
//
// Nobody says when a leader is lost or the disk is full: the state is spread over the shards. A
// look costs a lookup per partition.
class HealthWatch {
 public:
  static constexpr int64_t kIntervalNs = 200'000'000;

  using Checks = std::function<std::vector<http::HealthCheck>()>;
  using SetServing = std::function<void(std::string_view service, bool serving)>;

  // `executor` outlives the watch. `checks` and `set` run there, and once in Start; they must not
  // block.
  HealthWatch(env::Executor& executor, Checks checks, SetServing set);

  // Looks at once, and every kIntervalNs from then on. Once.
  void Start();
  // No service serves any more, and nobody looks; then `done` runs on the executor.
  void Stop(absl::AnyInvocable<void()> done);

 private:
  void Look();
  void Set(size_t service, bool serving);
  void LookLater();

  env::Executor& executor_;
  const Checks checks_;
  const SetServing set_;
  // The executor's, after Start.
  std::array<std::optional<bool>, rpc::kHealthServices.size()> told_;
  env::Executor::TimerId timer_ = 0;
};

}  // namespace cairn::server
