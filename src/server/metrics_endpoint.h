// MetricsEndpoint: GET /metrics, for who may describe the cluster. With `?node=ID` those of another
// node, which is asked for them; with `name=PREFIX`, any number of times, some of them.
//
// Between the HTTP server, on the network's loop, and who knows the metrics: nobody waits here.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "cluster/node.h"
#include "http/route_table.h"
#include "security/access.h"

namespace cairn::server {

class MetricsEndpoint {
 public:
  // Asks a node, 0 for this one, and gives its answer on any thread. As cluster::Node::Ask.
  using AskNode = std::function<void(NodeId, cluster::Inquiry, cluster::InquiryDone)>;

  // Without `access`, which outlives the endpoint, everyone may who is let in, or of them who has
  // `shown_a_name`.
  MetricsEndpoint(const security::Access* access, bool shown_a_name, AskNode ask_node)
      : access_(access), shown_a_name_(shown_a_name), ask_node_(std::move(ask_node)) {}

  // The routes are used no more when the endpoint is destroyed.
  void AddTo(http::RouteTable& routes);

 private:
  absl::Status Check(const http::Request& request) const;
  void Ask(const std::string& query, http::RouteTable::Respond respond) const;

  const security::Access* const access_;
  const bool shown_a_name_;
  const AskNode ask_node_;
};

}  // namespace cairn::server
