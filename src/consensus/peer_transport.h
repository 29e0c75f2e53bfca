// PeerTransport: the messages of all Raft groups, and calls, between this node and the others.
//
// One outgoing connection per peer carries everything this node says to it, in order (FIFO while it
// stays up); what the peer says comes over the connection that the peer has opened. Small messages
// that wait for the same peer are written together. docs/formats/peer.md has the bytes.
//
// Sits between the Raft groups of the shards and env::Network; incoming connections come from the
// port multiplexer. Works on one executor, the loop on which the connections live.
//
// Threads: Send, NotifyWritable, LastHeard, queued_bytes, counters, SetPeer, RemovePeer, Call,
// UpdateIdentity and Stop are thread-safe; Accept belongs to the loop. The handler is called on the
// loop, and callbacks run there.
//
// Memory: every queue is bounded by bytes, in the options below; a queue exceeds its limit by one
// message at most.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/types.h"
#include "consensus/peer_codec.h"
#include "consensus/peer_link.h"
#include "consensus/raft_message.h"
#include "env/clock.h"
#include "env/executor.h"
#include "env/network.h"
#include "env/random.h"

namespace cairn::consensus {

// Opens connections to peers: the seam for TLS. The loop's.
class PeerDialer {
 public:
  virtual ~PeerDialer() = default;
  // `done` gets a connection on which kPeerFirstByte has been sent and frames may follow; never
  // inline. Errors as of env::Network::Connect.
  virtual void Dial(const std::string& address, env::Network::ConnectCallback done) = 0;
};

// TCP in the clear.
class PlainDialer final : public PeerDialer {
 public:
  // `network` outlives the dialler.
  explicit PlainDialer(env::Network& network) : network_(network) {}
  void Dial(const std::string& address, env::Network::ConnectCallback done) override;

 private:
  env::Network& network_;
};

// Why a connection was closed, or not let in. The connection alone suffers.
enum class PeerRejection : uint8_t {
  kBadChecksum,
  kMalformed,
  kOversized,
  kTruncated,   // ended within a frame
  kUnexpected,  // a frame that has no place there
  kWrongVersion,
  kWrongCluster,
  kWrongTarget,  // it looked for another node, or found one
  kNotAllowed,   // by Handler::ValidatePeer
  kHandshakeTimeout,
  kOverloaded,     // too many incoming connections
  kRefusedByPeer,  // the other end rejected us, for one of these reasons
};
inline constexpr size_t kPeerRejections = 12;
std::string_view ToString(PeerRejection kind);

// Since the start.
struct PeerCounters {
  uint64_t messages_sent = 0;  // taken over for sending
  uint64_t messages_received = 0;
  uint64_t messages_refused = 0;  // Send returned false
  uint64_t bytes_sent = 0;        // frames of all kinds
  uint64_t bytes_received = 0;
  uint64_t writes = 0;  // each carries everything that waited
  uint64_t dials = 0;
  uint64_t connects = 0;     // dials with a completed handshake
  uint64_t disconnects = 0;  // of those
  uint64_t accepts = 0;      // incoming, with a completed handshake
  std::array<uint64_t, kPeerRejections> rejections{};

  uint64_t rejected(PeerRejection kind) const { return rejections[static_cast<size_t>(kind)]; }
};

// Answers one request: exactly once, from any thread, at any time. Dropped unused, it answers
// UNAVAILABLE. Move-only.
class PeerResponder {
 public:
  using Answer = absl::AnyInvocable<void(absl::StatusOr<std::string>)>;
  explicit PeerResponder(Answer answer) : answer_(std::move(answer)) {}
  PeerResponder(PeerResponder&& other) noexcept : answer_(std::exchange(other.answer_, {})) {}
  PeerResponder& operator=(PeerResponder&& other) noexcept {
    std::swap(answer_, other.answer_);
    return *this;
  }
  ~PeerResponder();

  // An error keeps its code, message and ErrorInfo. A payload over kMaxPayloadBytes becomes
  // INTERNAL; one that the connection has no room for RESOURCE_EXHAUSTED.
  void Respond(absl::StatusOr<std::string> result);

 private:
  Answer answer_;
};

class PeerTransport {
 public:
  struct Options {
    PeerIdentity identity;
    // Waiting for one peer. The engine resends what is outstanding to a silent peer: the bound is
    // what keeps that from filling memory. Two messages of the usual largest size would be too few.
    size_t queue_limit_bytes = 16 << 20;
    // From dialling, or accepting, to the end of the handshake.
    int64_t handshake_timeout_ns = 3'000'000'000;
    int64_t ping_after_ns = 1'000'000'000;
    // Five pings: one slow node is not a dead one.
    int64_t silence_ns = 5'000'000'000;
    // Pauses between dials: doubling, with jitter of half. A refusal starts at the end.
    int64_t backoff_min_ns = 50'000'000;
    int64_t backoff_max_ns = 2'000'000'000;
    // Two for every node of the largest cluster we think of, and some that only call.
    size_t max_incoming = 1024;
    // Waiting for an answer, per connection, on this side and on the other.
    size_t max_calls = 4096;
    size_t max_call_bytes = 64 << 20;
    // Connections for calls by address.
    size_t max_dialled_calls = 64;
  };

  // Called on the loop, one call at a time, until Stop is done. Must not block.
  class Handler {
   public:
    virtual ~Handler() = default;
    // A peer introduces itself, at either end; cluster, version and target were checked as far as
    // both sides know them. An error refuses it, and its text is told to the peer.
    virtual absl::Status ValidatePeer(const PeerIdentity& /*peer*/, PeerPurpose /*purpose*/) {
      return absl::OkStatus();
    }
    // In the order of sending. Raft messages may be lost: whoever cannot keep up drops them. Not
    // yet checked by CheckMessage.
    virtual void OnMessage(NodeId from, GroupId group, Message message) = 0;
    // The messages that were read at once have been given: whoever gathers them goes on.
    virtual void OnMessagesEnd() {}
    virtual void OnRequest(const PeerIdentity& from, uint16_t method, std::string payload,
                           PeerResponder responder) = 0;
    // The outgoing connection is there: Send works. And not any more.
    virtual void OnPeerUp(const PeerIdentity& /*peer*/) {}
    virtual void OnPeerDown(NodeId /*peer*/, const absl::Status& /*why*/) {}
    // For the log. `address` is the connection's other end.
    virtual void OnRejected(PeerRejection /*kind*/, const std::string& /*address*/,
                            const absl::Status& /*why*/) {}
  };

  // All of it outlives the transport.
  struct Dependencies {
    env::Executor* loop;
    const env::Clock* clock;
    env::Random* random;
    PeerDialer* dialer;
    Handler* handler;
  };

  PeerTransport(Dependencies dependencies, Options options);
  // Stop is done, or the loop runs no more.
  ~PeerTransport();
  PeerTransport(const PeerTransport&) = delete;
  PeerTransport& operator=(const PeerTransport&) = delete;

  // Keeps a connection to `node` at `address` from now on. A changed address drops the old one.
  void SetPeer(NodeId node, const std::string& address);
  void RemovePeer(NodeId node);

  // Queues `message` for `to`. False, and counted, when there is no connection, the peer's queue is
  // full or the message over the limits of peer_codec.h. True means no more than "sent if the
  // connection stays up". Bodies of entries are not copied; small ones are.
  bool Send(NodeId to, GroupId group, const Message& message, Urgency urgency = Urgency::kNow);

  // Calls `callback` once, as soon as the peer's queue is below half of its limit: now, after a
  // write, or after the next connect. Dropped uncalled when the peer is removed or unknown.
  void NotifyWritable(NodeId node, absl::AnyInvocable<void()> callback);

  // Asks a connected peer. `done` gets the answer: the payload, the error the peer answered with,
  // or UNAVAILABLE when there is no connection or it broke meanwhile (the request may have been
  // carried out), DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED when too many or too large calls wait,
  // CANCELLED by Stop.
  using CallDone = absl::AnyInvocable<void(absl::StatusOr<std::string>)>;
  void Call(NodeId to, uint16_t method, std::string payload, int64_t timeout_ns, CallDone done);
  // The same to whoever is at `address`, over a connection of its own.
  void CallAddress(const std::string& address, uint16_t method, std::string payload,
                   int64_t timeout_ns, CallDone done);

  // When anything was last heard of the peer, on the monotonic clock; nullopt: never, or unknown.
  std::optional<int64_t> LastHeardMs(NodeId node) const;

  size_t queued_bytes(NodeId node) const;
  PeerCounters counters() const;

  // Takes over a connection that the multiplexer has accepted, with what was read of it:
  // kPeerFirstByte, and possibly more. TLS is unwrapped by then.
  void Accept(std::unique_ptr<env::Connection> connection, std::string received);

  // This node has been told who it is. Peer connections are made again with the new identity; calls
  // by address go on.
  void UpdateIdentity(PeerIdentity identity);

  // Closes everything. `done` runs on the loop; the handler is not called any more from then on.
  void Stop(absl::AnyInvocable<void()> done);

 private:
  class Impl;
  const std::shared_ptr<Impl> impl_;  // shared with callbacks on their way
};

}  // namespace cairn::consensus
