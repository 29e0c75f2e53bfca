// What a node remembers of its cluster across a restart: whom to ask to be let in again, and the
// logical times it has seen, so that old events are not taken for new ones. The driver keeps it in
// a checksummed file (env/files.h).
//
//   snapshot = "cairn gossip snapshot 1\n"
//              "clock " member " " event " " query "\n"
//              ("member " address " " name "\n")*
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "gossip/wire/address.h"
#include "gossip/wire/serf_messages.h"

namespace cairn::gossip {

struct SerfSnapshot {
  struct Known {
    std::string name;
    Address address;
    friend bool operator==(const Known&, const Known&) = default;
  };
  LamportTime member_time = 0;
  LamportTime event_time = 0;
  LamportTime query_time = 0;
  std::vector<Known> members;  // alive ones, without this node

  friend bool operator==(const SerfSnapshot&, const SerfSnapshot&) = default;
};

std::string EncodeSnapshot(const SerfSnapshot& snapshot);
// Errors: INVALID_ARGUMENT that names the line.
absl::StatusOr<SerfSnapshot> DecodeSnapshot(std::string_view text);

}  // namespace cairn::gossip
