// The times by which a group of replicas notices that its leader is gone.
#pragma once

#include <cstdint>

namespace cairn::broker {

struct RaftTimeouts {
  // A follower that hears nothing for this long, up to twice that, stands for election; a leader
  // that does not hear of a majority for this long gives up.
  int64_t election_ms = 600;
  // Between two signs of life of a leader; at most a third of election_ms (docs/adr/0016).
  int64_t heartbeat_ms = 150;
};

}  // namespace cairn::broker
