// What is built on the members' protocol, and told of everything: Serf. Calls come from within
// calls into Swim; they may add broadcasts and read members, and call nothing that takes input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "gossip/swim/member_table.h"

namespace cairn::gossip {

class SwimDelegate {
 public:
  virtual ~SwimDelegate() = default;

  // Whether to believe this at all. Not OK: as if it had not come.
  virtual absl::Status CheckAlive(const Alive& alive) = 0;

  virtual void OnJoined(const Member& member) = 0;
  virtual void OnUpdated(const Member& member) = 0;
  // It is dead or has left.
  virtual void OnGone(const Member& member) = 0;
  // Another node at `other` claims the name of `existing`.
  virtual void OnConflict(const Member& existing, const Alive& other) = 0;

  virtual void OnUserMessage(std::string_view message) = 0;
  // Whether user messages wait to be sent.
  virtual bool HasBroadcasts() const = 0;
  // Appends user messages (type included) for a packet, as BroadcastQueue::Take does.
  virtual void TakeBroadcasts(size_t overhead_bytes, size_t room_bytes,
                              std::vector<std::string>& to) = 0;

  // The user state of a push/pull, and what the other side's says.
  virtual std::string LocalState(bool join) = 0;
  virtual void MergeState(std::string_view state, bool join) = 0;

  // What acknowledgements of this node carry, and what those of others did.
  virtual std::string AckPayload() = 0;
  virtual void OnAck(const Member& from, int64_t round_trip_ns, std::string_view payload) = 0;
};

}  // namespace cairn::gossip
