// Console: what a browser gets from a node: the page at `/`, the status of the cluster, and
// records.
//
// The page itself holds no data; it is made of the files of page/, which are in the program, and
// asks /status.json, /metrics and /records.json for what it shows, as whoever looks at it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "cluster/membership.h"
#include "cluster/node.h"
#include "env/clock.h"
#include "env/executor.h"
#include "http/health_routes.h"
#include "http/route_table.h"
#include "rpc/rpc_observer.h"
#include "server/console/own_hosts.h"
#include "server/console/records_endpoint.h"
#include "server/console/status_endpoint.h"
#include "server/http_guard.h"

namespace cairn::server {

class Console {
 public:
  struct Options {
    cluster::Node* node;
    cluster::Membership* membership;
    env::Executor* executor;  // the console's own: it may block
    env::Clock* clock;
    rpc::RpcObserver* observer;
    std::function<std::vector<http::HealthCheck>()> checks;  // does not block
    HttpGuard guard;
    std::string node_name;
    // Under which names browsers reach the node, where nothing else proves that it is this one;
    // nullopt: TLS does.
    std::optional<OwnHosts> own_hosts;
  };
  // All of it outlives Stop; the executor and the clock outlive the console.
  explicit Console(Options options);

  // The routes are used no more when the console is destroyed.
  void AddTo(http::RouteTable& routes);

  // Ends what waits; afterwards nothing of the node is used. `done` runs on the executor.
  void Stop(absl::AnyInvocable<void()> done);

 private:
  const HttpGuard guard_;
  const std::optional<OwnHosts> own_hosts_;
  // Shared with what is on its way.
  std::shared_ptr<StatusEndpoint> status_;
  std::shared_ptr<RecordsEndpoint> records_;
};

}  // namespace cairn::server
