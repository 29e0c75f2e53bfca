// MetricsEndpoint: GET /metrics, for who may describe the cluster. With `node=ID` those of another
// node, which is asked for them; with `names=PREFIX,PREFIX` some of them.
//
// Between the HTTP server, on the network's loop, and who knows the metrics: nobody waits here.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "cluster/node.h"
#include "http/route_table.h"
#include "server/http_guard.h"

namespace cairn::server {

class MetricsEndpoint {
 public:
  // Asks a node, 0 for this one, and gives its answer on any thread. As cluster::Node::Ask.
  using AskNode = std::function<void(NodeId, cluster::Inquiry, cluster::InquiryDone)>;

  MetricsEndpoint(HttpGuard guard, AskNode ask_node)
      : guard_(guard), ask_node_(std::move(ask_node)) {}

  // The routes are used no more when the endpoint is destroyed.
  void AddTo(http::RouteTable& routes);

 private:
  void Ask(const std::string& query, http::RouteTable::Respond respond) const;

  const HttpGuard guard_;
  const AskNode ask_node_;
};

}  // namespace cairn::server
