// What every piece of metadata must satisfy, whoever brings it: a command or a snapshot.
//
// These rules decide whether a command is applied, so all nodes must judge alike: a change here is
// a change of the metadata format.
#pragma once

#include <span>

#include "absl/status/status.h"
#include "cluster/metadata.h"

namespace cairn::cluster {

inline constexpr size_t kMaxNodeNameBytes = 128;  // as in Serf
inline constexpr size_t kMaxAddressBytes = 262;   // a DNS name, a colon, a port
inline constexpr size_t kMaxRackBytes = 255;
inline constexpr size_t kMaxVersionBytes = 64;
inline constexpr int32_t kMaxControllerVoters = 7;
// The metadata, policy and all, is copied with each change of it.
inline constexpr size_t kMaxAccessModelBytes = 64 << 10;
inline constexpr size_t kMaxAccessPolicyBytes = 1 << 20;
// An operator who wants "never" drains by hand; this keeps sums with clock readings in range.
inline constexpr int64_t kMaxGraceMs = 366LL * 24 * 3600 * 1000;

// Errors of all: INVALID_ARGUMENT naming the value and the rule.
absl::Status ValidateDescription(const NodeDescription& description);
absl::Status ValidateClusterSettings(const ClusterSettings& settings);
absl::Status ValidateAccessPolicy(const AccessPolicy& policy);
// 0 (automatic), or 1 to kMaxReplicationFactor and to the number of active nodes.
absl::Status ValidateFactor(const Metadata& metadata, int32_t factor);
// 1 to kMaxReplicationFactor different nodes of `metadata`, none of them removed.
absl::Status ValidateReplicas(const Metadata& metadata, std::span<const NodeId> replicas);

}  // namespace cairn::cluster
