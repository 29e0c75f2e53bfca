// What the controller has seen and heard: the input of the planners beside the metadata. May be
// old, and may be missing anything. All times are of the controller's monotonic clock.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>

#include "base/types.h"
#include "consensus/configuration.h"

namespace cairn::cluster {

// A node that said nothing for three pings does not answer.
inline constexpr int64_t kSilentMs = 3'000;

// A node as the leader of a group sees it.
struct MemberView {
  bool reachable = false;
  int64_t reachable_for_ms = 0;         // since when it answers without a break
  std::optional<uint64_t> lag_entries;  // behind the leader's last entry; nullopt: unknown
  bool damaged = false;                 // its log is: it neither votes nor leads
};

// A group, as its leader reports it. Also the input of NextStep, which that leader calls.
struct GroupView {
  NodeId leader;  // who says this; 0: nobody does
  int64_t reported_ms = 0;
  consensus::Configuration configuration;
  // The leader has committed an entry of its own term, and no configuration is uncommitted.
  bool may_change = true;
  std::map<NodeId, MemberView> members;  // also of nodes that are not members yet
};

// What gossip says of a node. Anybody who can send packets can have it say so: for operators to
// read, never a reason to move anything (docs/adr/0011).
enum class GossipStatus : uint8_t { kUnknown, kAlive, kLeaving, kLeft, kFailed };
std::string_view ToString(GossipStatus status);

struct GossipObservation {
  GossipStatus status = GossipStatus::kUnknown;
  int64_t since_ms = 0;
};

struct NodeObservation {
  bool reachable = false;
  int64_t last_heard_ms = 0;
  GossipObservation gossip = {};
};

struct Observed {
  int64_t since_ms = 0;  // when this controller began to observe: it heard nobody before
  int64_t wall_ms = 0;   // for the times that commands carry
  std::map<NodeId, NodeObservation> nodes;  // the controller's own node included
  std::map<GroupId, GroupView> groups;      // group 0 included
  // Which replicas have damaged logs, as their nodes say: how, and what is done about it.
  std::map<GroupId, std::map<NodeId, std::string>> damaged;
};

}  // namespace cairn::cluster
