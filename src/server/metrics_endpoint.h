// MetricsEndpoint: GET /metrics, for who may describe the cluster.
//
// Between the HTTP server, on the network's loop, and the registry, which is asked on an executor
// of its own: a scrape waits for the shards, and nobody waits for a scrape. Requests that come
// together get the same one.
#pragma once

#include <vector>

#include "absl/functional/any_invocable.h"
#include "base/mutex.h"
#include "env/executor.h"
#include "http/route_table.h"
#include "server/http_guard.h"
#include "telemetry/registry.h"

namespace cairn::server {

class MetricsEndpoint {
 public:
  // All of it outlives the endpoint's Stop. `registry` is used on `executor`, which may block.
  MetricsEndpoint(telemetry::Registry& registry, env::Executor& executor, HttpGuard guard)
      : registry_(registry), executor_(executor), guard_(guard) {}

  // The routes are used no more when the endpoint is destroyed.
  void AddTo(http::RouteTable& routes);

  // Asks nobody any more from then on; answers 503. `done` runs on the executor.
  void Stop(absl::AnyInvocable<void()> done);

 private:
  void Ask(http::RouteTable::Respond respond);
  void Answer();

  telemetry::Registry& registry_;
  env::Executor& executor_;
  const HttpGuard guard_;
  bool stopped_ = false;  // on the executor

  base::Mutex mutex_;
  std::vector<http::RouteTable::Respond> waiting_
      CAIRN_GUARDED_BY(mutex_);  // no more than connections
};

}  // namespace cairn::server
