// What the gossip protocol calls a member, in the words of the controller.
#pragma once

#include "cluster/observed.h"
#include "gossip/serf/serf_events.h"

namespace cairn::cluster {

inline GossipStatus ToGossipStatus(gossip::MemberStatus status) {
  switch (status) {
    case gossip::MemberStatus::kAlive:
      return GossipStatus::kAlive;
    case gossip::MemberStatus::kLeaving:
      return GossipStatus::kLeaving;
    case gossip::MemberStatus::kLeft:
      return GossipStatus::kLeft;
    case gossip::MemberStatus::kFailed:
      return GossipStatus::kFailed;
    case gossip::MemberStatus::kNone:
      break;
  }
  return GossipStatus::kUnknown;
}

}  // namespace cairn::cluster
