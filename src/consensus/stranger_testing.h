// For tests: what a node that nobody knows says first.
#pragma once

#include <string>

#include "consensus/peer_codec.h"
#include "consensus/peer_frame.h"

namespace cairn::consensus {

inline std::string HelloBytes(const Hello& hello) {
  env::SliceBuffer buffer;
  EncodeHello(hello, buffer);
  std::string bytes;
  for (const env::Slice& slice : buffer.Take()) bytes += slice.view();
  return bytes;
}

// A hello of another cluster, without the byte that opens a connection between nodes.
inline std::string StrangersHello() {
  return HelloBytes({.from = {.cluster = base::Uuid::FromRandom(1, 2),
                              .node_uuid = base::Uuid::FromRandom(3, 4),
                              .node = NodeId(9),
                              .name = "stranger",
                              .address = "127.0.0.1:1"}});
}

}  // namespace cairn::consensus
