// The TCP exchanges of a GossipNode: those that others open, and ours. Each reads one message, with
// a deadline over the whole. Internal to transport.
#pragma once

#include <memory>
#include <string>

#include "gossip/transport/gossip_node.h"
#include "gossip/wire/stream.h"

namespace cairn::gossip {

// Somebody else's: a message comes, and perhaps an answer goes.
class GossipNode::Inbound {
 public:
  Inbound(GossipNode& node, uint64_t id, std::unique_ptr<env::Connection> connection);
  ~Inbound();
  Inbound(const Inbound&) = delete;
  Inbound& operator=(const Inbound&) = delete;

  void Start();

 private:
  void Read();
  void OnRead(absl::StatusOr<size_t> size);
  void End(bool failed);

  GossipNode& node_;
  const uint64_t id_;
  std::unique_ptr<env::Connection> connection_;
  const std::shared_ptr<StreamReader> reader_;  // shared with a Read under way
  size_t counted_bytes_ = 0;                    // in the node's buffered_bytes_
  env::Executor::TimerId deadline_ = 0;
  bool ended_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// Ours: a request goes, a message comes.
class GossipNode::Outbound : public std::enable_shared_from_this<Outbound> {
 public:
  Outbound(GossipNode& node, uint64_t id, StartExchange exchange);
  ~Outbound();
  Outbound(const Outbound&) = delete;
  Outbound& operator=(const Outbound&) = delete;

  void Start();

 private:
  void Read();
  void End(absl::StatusOr<StreamMessage> answer);

  GossipNode& node_;
  const uint64_t id_;
  StartExchange exchange_;
  std::unique_ptr<env::Connection> connection_;
  const std::shared_ptr<StreamReader> reader_;  // shared with a Read under way
  env::Executor::TimerId deadline_ = 0;
  bool ended_ = false;
};

}  // namespace cairn::gossip
