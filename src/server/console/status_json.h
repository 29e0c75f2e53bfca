// What GET /status.json answers.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cluster/cluster_report.h"
#include "cluster/membership.h"
#include "cluster/node.h"
#include "http/health_routes.h"

namespace cairn::server {

// Of an answer: a browser draws it every other second. What is left out is counted; a topic alone
// is never left out.
inline constexpr size_t kMaxTopicsShown = 1'000;
inline constexpr size_t kMaxPartitionsShown = 2'000;

struct StatusSources {
  const cluster::Node& node;
  std::string node_name;  // of this node
  std::string topic;      // only this one and its partitions; "": the whole cluster
  // What the controller says, or why it says nothing: then the answer has what this node knows.
  absl::StatusOr<cluster::ClusterReport> report;
  std::map<NodeId, cluster::GossipObservation> gossip;
  absl::StatusOr<std::vector<cluster::GossipMember>> members;
  std::vector<http::HealthCheck> checks;
  int64_t now_ms = 0;  // the wall clock
};

// One object; docs/ops/console.md has its fields. Topics are sorted by name.
std::string StatusJson(const StatusSources& sources);

}  // namespace cairn::server
