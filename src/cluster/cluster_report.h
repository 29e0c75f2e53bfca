// ClusterReport: what the controller knows of the cluster beside the metadata, for operators. Also
// the answer to PeerMethod::kExplain, as JSON.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/types.h"
#include "cluster/observed.h"
#include "cluster/reconcile.h"

namespace cairn::cluster {

// Groups in a report; those of more are left out, to stay within one frame of a peer's call.
inline constexpr size_t kMaxGroupsInClusterReport = 20'000;

struct ClusterReport {
  NodeId controller;              // who says this
  std::vector<NodeId> reachable;  // that answer it
  // As their leaders report them, where that is not long ago. Without times.
  std::map<GroupId, GroupView> groups;
  std::vector<Wait> waits;
};

std::string Encode(const ClusterReport& report);
// Errors: INVALID_ARGUMENT for what Encode does not write.
absl::StatusOr<ClusterReport> DecodeClusterReport(std::string_view text);

}  // namespace cairn::cluster
