// StatusEndpoint: GET /status.json: how the cluster is, for who may describe it.
//
// Between the HTTP server, on the network's loop, and the node, which asks the controller. Each
// request is gathered and written on an executor of the console's own.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "cluster/membership.h"
#include "cluster/node.h"
#include "env/clock.h"
#include "env/executor.h"
#include "http/health_routes.h"
#include "http/route_table.h"
#include "server/console/own_hosts.h"
#include "server/http_guard.h"

namespace cairn::server {

// How long the controller has to answer. Less than an HTTP request has, and than anybody wants to
// look at what is old.
inline constexpr int64_t kStatusTimeoutNs = 3'000'000'000;

// Lives in a shared_ptr: the controller's answer may come after whoever asked has gone.
class StatusEndpoint : public std::enable_shared_from_this<StatusEndpoint> {
 public:
  struct Dependencies {
    cluster::Node* node;
    cluster::Membership* membership;
    env::Executor* executor;
    env::Clock* clock;
    std::function<std::vector<http::HealthCheck>()> checks;
    HttpGuard guard;
    const OwnHosts* own_hosts;  // nullptr: whatever the browser calls this node
    std::string node_name;
  };
  // All of it outlives the endpoint's Stop; the executor outlives the endpoint.
  explicit StatusEndpoint(Dependencies dependencies) : dependencies_(std::move(dependencies)) {}

  void AddTo(http::RouteTable& routes);

  // From then on answers SHUTTING_DOWN and asks nobody. `done` runs on the executor.
  void Stop(absl::AnyInvocable<void()> done);

 private:
  struct Question;
  using QuestionPtr = std::shared_ptr<Question>;

  // On the network's loop. The topic that is asked about; "": all.
  absl::StatusOr<std::string> Admit(const http::Request& request) const;
  // On the executor.
  void Ask(std::string topic, http::RouteTable::Respond respond);
  void AnswerWhenComplete(const QuestionPtr& question);

  const Dependencies dependencies_;
  bool stopped_ = false;  // on the executor
};

}  // namespace cairn::server
