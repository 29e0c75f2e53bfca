// NextStep: how the leader of a group brings its membership to what the metadata wants.
//
// Pure. The leader calls it whenever something changed and every few seconds, does the one step it
// names, and calls it again. A replica is added as standby, promoted when it has caught up, and
// only then another is removed. No step leaves fewer live voters than the new configuration's
// majority, and a leader never removes or demotes itself: it hands over first.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/types.h"
#include "cluster/metadata.h"
#include "cluster/observed.h"
#include "consensus/configuration.h"

namespace cairn::cluster {

// A standby this close is promoted: what is on its way to a healthy follower of a busy group. More
// would make the commits behind the promotion wait for it.
inline constexpr uint64_t kPromoteLagEntries = 1024;
// Leadership goes back to the preferred leader when it has answered for this long, so that a node
// that comes and goes does not take the leadership with it each time.
inline constexpr int64_t kPreferredLeaderStableMs = 10'000;

struct GroupTarget {
  std::vector<NodeId> voters;
  std::vector<NodeId> standbys;
  NodeId preferred_leader;  // 0: any voter
};

// The target of a partition: its replicas vote, the first leads.
GroupTarget TargetOf(const PartitionInfo& partition);

struct MembershipStep {
  enum class Kind { kAddStandby, kPromote, kDemote, kRemove, kTransfer };
  Kind kind;
  NodeId node;                  // whom it concerns; of kTransfer: the new leader
  consensus::Configuration to;  // for RaftCore::ChangeConfiguration; of kTransfer: unchanged
};

struct StepPlan {
  std::optional<MembershipStep> step;
  // When there is no step: what it waits for, in words; empty when the target is reached.
  std::string waits_for;
};

StepPlan NextStep(const GroupView& view, const GroupTarget& target);

// The members and their roles are those of the target; who leads does not matter.
bool IsSettled(const consensus::Configuration& configuration, const GroupTarget& target);

// "1,203,112".
std::string WithCommas(uint64_t number);

}  // namespace cairn::cluster
