// What the gossip core wants done. The driver (src/gossip/transport, or a test) takes the actions
// after every call into the core and reports what came of the exchanges.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gossip/wire/address.h"

namespace cairn::gossip {

// Send it, and forget about it.
struct SendPacket {
  Address to;
  std::string bytes;
};

// Connect, write `request`, read one message of the other side by a StreamReader, close; report by
// OnExchange. Connecting included it may take `timeout_ns`.
struct StartExchange {
  uint64_t id = 0;
  Address to;
  std::string request;
  int64_t timeout_ns = 0;
};

struct Actions {
  std::vector<SendPacket> packets;
  std::vector<StartExchange> exchanges;

  bool empty() const { return packets.empty() && exchanges.empty(); }
};

}  // namespace cairn::gossip
