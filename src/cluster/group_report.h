// What the leaders of groups tell the controller, as bytes: the payload of PeerMethod::kReport.
//
// Little-endian. Per group: group (8), flags (1: may change), configuration size (2) and bytes,
// member count (2), and per member: node (4), flags (1: reachable, 2: damaged, 4: lag known),
// reachable for ms (8), lag in entries (8).
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/types.h"
#include "cluster/observed.h"

namespace cairn::cluster {

// A report holds at most this many groups; more go into the next.
inline constexpr size_t kMaxGroupsPerReport = 10'000;

using GroupReport = std::map<GroupId, GroupView>;

// `leader` and `reported_ms` are not in it: the receiver knows them.
std::string Encode(const GroupReport& report);
// Errors: INVALID_ARGUMENT for bytes that Encode does not write.
absl::StatusOr<GroupReport> DecodeGroupReport(std::string_view bytes);

}  // namespace cairn::cluster
