// PeerLink: the way to the other nodes, as a Raft group sees it. PeerTransport implements it.
#pragma once

#include "absl/functional/any_invocable.h"
#include "base/types.h"
#include "consensus/raft_message.h"

namespace cairn::consensus {

// When a message is to leave. kSoon: within a few milliseconds, with others; for what is said often
// and waited for by nobody.
enum class Urgency { kNow, kSoon };

// Thread-safe. Messages to one node arrive in their order, or not at all.
class PeerLink {
 public:
  virtual ~PeerLink() = default;

  // False: the message was dropped, because there is no connection or its queue is full.
  virtual bool Send(NodeId to, GroupId group, const Message& message, Urgency urgency) = 0;

  // Calls `ready`, on any thread and at most once, when a Send that was refused is worth another
  // try: the queue has drained or the connection is back. Dropped uncalled when the node is
  // unknown.
  virtual void NotifyWritable(NodeId to, absl::AnyInvocable<void()> ready) = 0;
};

}  // namespace cairn::consensus
