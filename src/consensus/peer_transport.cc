#include "consensus/peer_transport.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/mutex.h"
#include "base/strings.h"
#include "consensus/peer_context.h"
#include "consensus/peer_incoming.h"
#include "consensus/peer_outgoing.h"

namespace cairn::consensus {

std::string_view ToString(PeerRejection kind) {
  switch (kind) {
    case PeerRejection::kBadChecksum:
      return "bad_checksum";
    case PeerRejection::kMalformed:
      return "malformed";
    case PeerRejection::kOversized:
      return "oversized";
    case PeerRejection::kTruncated:
      return "truncated";
    case PeerRejection::kUnexpected:
      return "unexpected";
    case PeerRejection::kWrongVersion:
      return "wrong_version";
    case PeerRejection::kWrongCluster:
      return "wrong_cluster";
    case PeerRejection::kWrongTarget:
      return "wrong_target";
    case PeerRejection::kNotAllowed:
      return "not_allowed";
    case PeerRejection::kHandshakeTimeout:
      return "handshake_timeout";
    case PeerRejection::kOverloaded:
      return "overloaded";
    case PeerRejection::kRefusedByPeer:
      return "refused_by_peer";
  }
  return "unknown";
}

void PlainDialer::Dial(const std::string& address, env::Network::ConnectCallback done) {
  network_.Connect(
      address,
      [done = std::move(done)](absl::StatusOr<std::unique_ptr<env::Connection>> connected) mutable {
        if (!connected.ok()) return done(connected.status());
        // Shared because both the callback and the Write that it completes need it.
        auto connection = std::make_shared<std::unique_ptr<env::Connection>>(*std::move(connected));
        env::Connection& writer = **connection;
        writer.Write(std::string(1, kPeerFirstByte),
                     [done = std::move(done), connection](absl::Status status) mutable {
                       if (!status.ok()) return done(status);
                       done(std::move(*connection));
                     });
      });
}

PeerResponder::~PeerResponder() {
  if (answer_) Respond(absl::UnavailableError("the request was dropped"));
}

void PeerResponder::Respond(absl::StatusOr<std::string> result) {
  CAIRN_CHECK(answer_, "one answer to one request");
  std::exchange(answer_, {})(std::move(result));
}

class PeerTransport::Impl : public std::enable_shared_from_this<Impl>, public PeerIncoming::Owner {
 public:
  Impl(Dependencies dependencies, Options options) {
    context_->deps = dependencies;
    context_->options = std::move(options);
  }

  // ---- any thread ----

  bool Send(NodeId to, GroupId group, const Message& message, Urgency urgency) {
    std::shared_ptr<FrameChannel> channel;
    {
      base::MutexLock lock(mutex_);
      if (const auto at = shared_.find(to); at != shared_.end()) channel = at->second.outgoing;
    }
    const bool sent = channel && channel->Append(
                                     [&](env::SliceBuffer& buffer) {
                                       return EncodeMessage(group, message, buffer);
                                     },
                                     FrameChannel::Limit::kRespect, urgency);
    (sent ? context_->messages_sent : context_->messages_refused)
        .fetch_add(1, std::memory_order_relaxed);
    return sent;
  }

  std::optional<int64_t> LastHeardMs(NodeId node) const {
    base::MutexLock lock(mutex_);
    const auto at = shared_.find(node);
    if (at == shared_.end()) return std::nullopt;
    const Shared& shared = at->second;
    int64_t heard_ns = shared.heard_ns;
    if (shared.outgoing) heard_ns = std::max(heard_ns, shared.outgoing->last_heard_ns());
    if (shared.incoming) heard_ns = std::max(heard_ns, shared.incoming->last_heard_ns());
    if (heard_ns < 0) return std::nullopt;
    return heard_ns / 1'000'000;
  }

  size_t queued_bytes(NodeId node) const {
    base::MutexLock lock(mutex_);
    const auto at = shared_.find(node);
    return at == shared_.end() || !at->second.outgoing ? 0 : at->second.outgoing->queued_bytes();
  }

  PeerCounters counters() const {
    PeerCounters counters;
    counters.messages_sent = context_->messages_sent.load(std::memory_order_relaxed);
    counters.messages_received = context_->messages_received.load(std::memory_order_relaxed);
    counters.messages_refused = context_->messages_refused.load(std::memory_order_relaxed);
    counters.bytes_sent = context_->bytes->bytes_sent.load(std::memory_order_relaxed);
    counters.bytes_received = context_->bytes->bytes_received.load(std::memory_order_relaxed);
    counters.writes = context_->bytes->writes.load(std::memory_order_relaxed);
    counters.dials = context_->dials.load(std::memory_order_relaxed);
    counters.connects = context_->connects.load(std::memory_order_relaxed);
    counters.disconnects = context_->disconnects.load(std::memory_order_relaxed);
    counters.accepts = context_->accepts.load(std::memory_order_relaxed);
    for (size_t i = 0; i < kPeerRejections; ++i) {
      counters.rejections[i] = context_->rejections[i].load(std::memory_order_relaxed);
    }
    return counters;
  }

  // Runs `task` on the loop.
  template <typename Task>
  void Post(Task task) {
    context_->deps.loop->Post(
        [self = shared_from_this(), task = std::move(task)]() mutable { task(*self); });
  }

  // ---- the loop ----

  void SetPeer(NodeId node, const std::string& address) {
    if (context_->stopped) return;
    Peer& peer = peers_[node];
    if (peer.address == address) return;
    peer.address = address;
    peer.node = node;
    {
      base::MutexLock lock(mutex_);
      shared_.try_emplace(node);
      if (const auto at = incoming_by_node_.find(node); at != incoming_by_node_.end()) {
        shared_[node].incoming = at->second->channel();
      }
    }
    Redial(peer, "its address has changed");
  }

  void RemovePeer(NodeId node) {
    const auto at = peers_.find(node);
    if (at == peers_.end()) return;
    Drop(at->second, absl::CancelledError("the peer was removed"));
    peers_.erase(at);
    base::MutexLock lock(mutex_);
    shared_.erase(node);
  }

  void NotifyWritable(NodeId node, absl::AnyInvocable<void()> callback) {
    const auto at = peers_.find(node);
    if (at == peers_.end()) return;
    Peer& peer = at->second;
    if (peer.up && peer.link->channel()->writable()) return callback();
    peer.waiters.push_back(std::move(callback));
  }

  void Call(NodeId to, uint16_t method, std::shared_ptr<const std::string> payload, uint32_t crc,
            int64_t timeout_ns, CallDone done) {
    if (context_->stopped) return done(absl::CancelledError("the transport has stopped"));
    const auto at = peers_.find(to);
    if (at == peers_.end() || !at->second.link) {
      return done(absl::UnavailableError(base::StrCat("no connection to node ", to.value())));
    }
    at->second.link->Call(method, std::move(payload), crc, timeout_ns, std::move(done));
  }

  void CallAddress(const std::string& address, uint16_t method,
                   std::shared_ptr<const std::string> payload, uint32_t crc, int64_t timeout_ns,
                   CallDone done) {
    if (context_->stopped) return done(absl::CancelledError("the transport has stopped"));
    if (dialled_.size() >= context_->options.max_dialled_calls) {
      return done(absl::ResourceExhaustedError("too many calls by address at once"));
    }
    const uint64_t id = next_dialled_++;
    DialledCall& call = dialled_[id];
    call.done = std::move(done);
    const int64_t deadline_ns = context_->deps.clock->MonotonicNs() + timeout_ns;
    call.timer = context_->deps.loop->PostAfter(timeout_ns, [weak = weak_from_this(), id, address] {
      if (const auto self = weak.lock()) {
        self->FinishDialled(
            id, absl::DeadlineExceededError(base::StrCat("no answer from ", address, " in time")));
      }
    });
    call.link = std::make_shared<PeerOutgoing>(
        context_, PeerOutgoing::Target{.address = address, .purpose = PeerPurpose::kCalls},
        PeerOutgoing::Events{
            .up =
                [this, id, method, payload, crc, deadline_ns](const PeerIdentity&) {
                  const int64_t left_ns = deadline_ns - context_->deps.clock->MonotonicNs();
                  dialled_[id].link->Call(method, payload, crc, std::max<int64_t>(left_ns, 0),
                                          [this, id](absl::StatusOr<std::string> result) {
                                            FinishDialled(id, std::move(result));
                                          });
                },
            .down =
                [this, id, address](const absl::Status& why, bool refused) {
                  FinishDialled(id, refused ? why
                                            : absl::UnavailableError(
                                                  base::StrCat("connection to ", address, ": ",
                                                               base::StdView(why.message()))));
                },
            .drained = {}});
    call.link->Start();
  }

  void Accept(std::unique_ptr<env::Connection> connection, std::string received) {
    if (context_->stopped) return;
    if (incoming_.size() >= context_->options.max_incoming) {
      return context_->Reject(PeerRejection::kOverloaded, connection->peer_address(),
                              absl::ResourceExhaustedError("too many incoming connections"));
    }
    if (received.empty() || received[0] != kPeerFirstByte) {
      return context_->Reject(PeerRejection::kMalformed, connection->peer_address(),
                              absl::InvalidArgumentError("not a peer's first byte"));
    }
    const uint64_t id = next_incoming_++;
    auto incoming = std::make_shared<PeerIncoming>(context_, *this, id);
    incoming_[id] = incoming;
    incoming->Start(std::move(connection), std::string_view(received).substr(1));
  }

  void UpdateIdentity(PeerIdentity identity) {
    if (context_->stopped || identity == context_->self()) return;
    context_->options.identity = std::move(identity);
    for (const auto& [node, incoming] : std::exchange(incoming_by_node_, {})) {
      SetIncoming(node, nullptr);
      incoming->Close();
      incoming_.erase(incoming->id());
    }
    for (auto& [node, peer] : peers_) Redial(peer, "this node has a new identity");
  }

  void Stop(absl::AnyInvocable<void()> done) {
    const absl::Status why = absl::CancelledError("the transport has stopped");
    context_->stopped = true;
    for (const auto& [node, peer] : std::exchange(peers_, {})) {
      if (peer.retry != 0) context_->deps.loop->Cancel(peer.retry);
      if (peer.link) peer.link->Close(why);
    }
    for (const auto& [id, incoming] : std::exchange(incoming_, {})) incoming->Close();
    incoming_by_node_.clear();
    while (!dialled_.empty()) FinishDialled(dialled_.begin()->first, why);
    {
      base::MutexLock lock(mutex_);
      shared_.clear();
    }
    // Behind the callbacks of what was closed.
    context_->deps.loop->Post(std::move(done));
  }

  void OnIncomingUp(const std::shared_ptr<PeerIncoming>& incoming) override {
    if (incoming->purpose() != PeerPurpose::kPeer) return;
    const NodeId node = incoming->peer().node;
    // The peer gave up the former connection; that we have not noticed is no reason to keep it.
    if (const auto former = incoming_by_node_.find(node); former != incoming_by_node_.end()) {
      former->second->Close();
      incoming_.erase(former->second->id());
    }
    incoming_by_node_[node] = incoming;
    SetIncoming(node, incoming->channel());
    // It is alive: no need to wait any longer, unless it does not want us.
    if (const auto at = peers_.find(node); at != peers_.end()) {
      Peer& peer = at->second;
      if (!peer.link && !peer.refused) Dial(peer);
    }
  }

  void OnIncomingClosed(const std::shared_ptr<PeerIncoming>& incoming) override {
    incoming_.erase(incoming->id());
    if (const auto at = incoming_by_node_.find(incoming->peer().node);
        at != incoming_by_node_.end() && at->second == incoming) {
      incoming_by_node_.erase(at);
      SetIncoming(incoming->peer().node, nullptr);
    }
  }

 private:
  // A peer as the loop sees it.
  struct Peer {
    NodeId node;
    std::string address;
    std::shared_ptr<PeerOutgoing> link;  // null while waiting for the next try
    env::Executor::TimerId retry = 0;
    int failures = 0;      // in a row
    bool refused = false;  // the last try was
    bool up = false;
    int64_t up_since_ns = 0;
    std::vector<absl::AnyInvocable<void()>> waiters;
  };
  // And as senders see it.
  struct Shared {
    std::shared_ptr<FrameChannel> outgoing;  // when up
    std::shared_ptr<FrameChannel> incoming;
    int64_t heard_ns = -1;  // over channels that are gone
  };
  struct DialledCall {
    std::shared_ptr<PeerOutgoing> link;
    CallDone done;
    env::Executor::TimerId timer;
  };

  void Dial(Peer& peer) {
    if (peer.retry != 0) context_->deps.loop->Cancel(std::exchange(peer.retry, 0));
    const NodeId node = peer.node;
    // The link is closed before the transport ends, and calls nothing afterwards.
    peer.link = std::make_shared<PeerOutgoing>(
        context_,
        PeerOutgoing::Target{
            .address = peer.address, .purpose = PeerPurpose::kPeer, .node = peer.node},
        PeerOutgoing::Events{
            .up = [this, node](const PeerIdentity& identity) { OnUp(node, identity); },
            .down = [this, node](const absl::Status& why,
                                 bool refused) { OnDown(node, why, refused); },
            .drained = [this, node] { RunWaiters(node); }});
    peer.link->Start();
  }

  // Ends the peer's connection, if any, without another try.
  void Drop(Peer& peer, const absl::Status& why) {
    if (peer.retry != 0) context_->deps.loop->Cancel(std::exchange(peer.retry, 0));
    if (!peer.link) return;
    const std::shared_ptr<PeerOutgoing> link = std::exchange(peer.link, nullptr);
    const bool was_up = std::exchange(peer.up, false);
    if (was_up) SetOutgoing(peer.node, nullptr);
    link->Close(why);
    if (!was_up) return;
    context_->disconnects.fetch_add(1, std::memory_order_relaxed);
    context_->deps.handler->OnPeerDown(peer.node, why);
  }

  void Redial(Peer& peer, std::string_view why) {
    Drop(peer, absl::UnavailableError(why.data()));
    peer.failures = 0;
    peer.refused = false;
    Dial(peer);
  }

  void OnUp(NodeId node, const PeerIdentity& identity) {
    Peer& peer = peers_.at(node);
    peer.up = true;
    peer.up_since_ns = context_->deps.clock->MonotonicNs();
    peer.refused = false;
    SetOutgoing(node, peer.link->channel());
    context_->deps.handler->OnPeerUp(identity);
    RunWaiters(node);
  }

  void OnDown(NodeId node, const absl::Status& why, bool refused) {
    Peer& peer = peers_.at(node);
    const bool was_up = std::exchange(peer.up, false);
    const int64_t now_ns = context_->deps.clock->MonotonicNs();
    const Options& options = context_->options;
    // A connection that does not last is no success.
    if (was_up && now_ns - peer.up_since_ns >= options.backoff_max_ns) peer.failures = 0;
    peer.refused = refused;
    peer.link = nullptr;
    int64_t pause_ns = options.backoff_max_ns;
    // 2^20 pauses of any sensible length are beyond the limit.
    if (!refused) {
      pause_ns = std::min(pause_ns, options.backoff_min_ns << std::min(peer.failures, 20));
      ++peer.failures;
    }
    pause_ns = pause_ns / 2 + static_cast<int64_t>(context_->deps.random->Next() %
                                                   static_cast<uint64_t>(pause_ns / 2 + 1));
    peer.retry = context_->deps.loop->PostAfter(pause_ns, [weak = weak_from_this(), node] {
      const auto self = weak.lock();
      if (!self || self->context_->stopped) return;
      const auto at = self->peers_.find(node);
      if (at == self->peers_.end() || at->second.link) return;
      at->second.retry = 0;
      self->Dial(at->second);
    });
    if (!was_up) return;
    SetOutgoing(node, nullptr);
    context_->disconnects.fetch_add(1, std::memory_order_relaxed);
    context_->deps.handler->OnPeerDown(node, why);
  }

  void RunWaiters(NodeId node) {
    const auto at = peers_.find(node);
    if (at == peers_.end()) return;
    // One may fill the queue again; the rest then waits on.
    auto waiters = std::exchange(at->second.waiters, {});
    for (auto& waiter : waiters) NotifyWritable(node, std::move(waiter));
  }

  void FinishDialled(uint64_t id, absl::StatusOr<std::string> result) {
    auto call = dialled_.extract(id);
    if (call.empty()) return;
    context_->deps.loop->Cancel(call.mapped().timer);
    call.mapped().link->Close(absl::CancelledError("closed"));
    call.mapped().done(std::move(result));
  }

  void SetOutgoing(NodeId node, std::shared_ptr<FrameChannel> channel) {
    base::MutexLock lock(mutex_);
    const auto at = shared_.find(node);
    if (at == shared_.end()) return;
    KeepHeard(at->second, at->second.outgoing);
    at->second.outgoing.swap(channel);
  }
  void SetIncoming(NodeId node, std::shared_ptr<FrameChannel> channel) {
    base::MutexLock lock(mutex_);
    const auto at = shared_.find(node);
    if (at == shared_.end()) return;
    KeepHeard(at->second, at->second.incoming);
    at->second.incoming.swap(channel);
  }
  static void KeepHeard(Shared& shared, const std::shared_ptr<FrameChannel>& channel) {
    if (channel) shared.heard_ns = std::max(shared.heard_ns, channel->last_heard_ns());
  }

  const std::shared_ptr<PeerContext> context_ = std::make_shared<PeerContext>();

  // The loop's.
  std::map<NodeId, Peer> peers_;
  uint64_t next_incoming_ = 1;
  std::map<uint64_t, std::shared_ptr<PeerIncoming>> incoming_;
  std::map<NodeId, std::shared_ptr<PeerIncoming>> incoming_by_node_;  // of purpose kPeer
  uint64_t next_dialled_ = 1;
  std::map<uint64_t, DialledCall> dialled_;

  mutable base::Mutex mutex_;
  std::unordered_map<NodeId, Shared> shared_ CAIRN_GUARDED_BY(mutex_);
};

PeerTransport::PeerTransport(Dependencies dependencies, Options options)
    : impl_(std::make_shared<Impl>(dependencies, std::move(options))) {}
PeerTransport::~PeerTransport() = default;

void PeerTransport::SetPeer(NodeId node, const std::string& address) {
  CAIRN_CHECK(node.value() > 0, "only a registered node is a peer");
  impl_->Post([node, address](Impl& impl) { impl.SetPeer(node, address); });
}
void PeerTransport::RemovePeer(NodeId node) {
  impl_->Post([node](Impl& impl) { impl.RemovePeer(node); });
}
bool PeerTransport::Send(NodeId to, GroupId group, const Message& message, Urgency urgency) {
  return impl_->Send(to, group, message, urgency);
}
void PeerTransport::NotifyWritable(NodeId node, absl::AnyInvocable<void()> callback) {
  impl_->Post([node, callback = std::move(callback)](Impl& impl) mutable {
    impl.NotifyWritable(node, std::move(callback));
  });
}

void PeerTransport::Call(NodeId to, uint16_t method, std::string payload, int64_t timeout_ns,
                         CallDone done) {
  if (payload.size() > kMaxPayloadBytes) {
    return impl_->Post([done = std::move(done)](Impl&) mutable {
      done(absl::InvalidArgumentError("the payload is over the limit of one frame"));
    });
  }
  const auto shared = std::make_shared<const std::string>(std::move(payload));
  impl_->Post([to, method, shared, crc = base::Crc32c(*shared), timeout_ns,
               done = std::move(done)](Impl& impl) mutable {
    impl.Call(to, method, shared, crc, timeout_ns, std::move(done));
  });
}
void PeerTransport::CallAddress(const std::string& address, uint16_t method, std::string payload,
                                int64_t timeout_ns, CallDone done) {
  if (payload.size() > kMaxPayloadBytes) {
    return impl_->Post([done = std::move(done)](Impl&) mutable {
      done(absl::InvalidArgumentError("the payload is over the limit of one frame"));
    });
  }
  const auto shared = std::make_shared<const std::string>(std::move(payload));
  impl_->Post([address, method, shared, crc = base::Crc32c(*shared), timeout_ns,
               done = std::move(done)](Impl& impl) mutable {
    impl.CallAddress(address, method, shared, crc, timeout_ns, std::move(done));
  });
}

std::optional<int64_t> PeerTransport::LastHeardMs(NodeId node) const {
  return impl_->LastHeardMs(node);
}
size_t PeerTransport::queued_bytes(NodeId node) const { return impl_->queued_bytes(node); }
PeerCounters PeerTransport::counters() const { return impl_->counters(); }

void PeerTransport::Accept(std::unique_ptr<env::Connection> connection, std::string received) {
  impl_->Accept(std::move(connection), std::move(received));
}
void PeerTransport::UpdateIdentity(PeerIdentity identity) {
  impl_->Post([identity = std::move(identity)](Impl& impl) mutable {
    impl.UpdateIdentity(std::move(identity));
  });
}
void PeerTransport::Stop(absl::AnyInvocable<void()> done) {
  impl_->Post([done = std::move(done)](Impl& impl) mutable { impl.Stop(std::move(done)); });
}

}  // namespace cairn::consensus
