#include "gossip/transport/gossip_node.h"

#include <utility>

#include "base/status_macros.h"
#include "env/host_port.h"
#include "gossip/transport/gossip_stream.h"
#include "gossip/wire/limits.h"

namespace cairn::gossip {
namespace {

// A port that is free for TCP may be taken for UDP; so often another one is tried.
constexpr int kPortTries = 20;
// After an accept that failed for want of descriptors, and receives that fail one after the other.
constexpr int64_t kRetryNs = 100 * kNsPerMs;
// Datagrams of ours that nobody took come back as errors, and many may at once.
constexpr int kFailedReceives = 100;

}  // namespace

absl::StatusOr<std::unique_ptr<GossipNode>> GossipNode::Start(
    const std::string& bind_address, SerfConfig config, env::Network& network,
    env::Executor& executor, const env::Clock& clock, env::Random& random, EventCallback on_event,
    const SerfSnapshot& restored) {
  CAIRN_ASSIGN_OR_RETURN(const env::HostPort wanted, env::ParseHostPort(bind_address));
  std::unique_ptr<env::Listener> listener;
  std::unique_ptr<env::DatagramSocket> socket;
  for (int tries = 1; socket == nullptr; ++tries) {
    listener.reset();
    CAIRN_ASSIGN_OR_RETURN(listener, network.Listen(bind_address));
    absl::StatusOr<std::unique_ptr<env::DatagramSocket>> bound =
        network.BindDatagram(listener->local_address());
    if (bound.ok()) {
      socket = *std::move(bound);
    } else if (wanted.port != 0 || !absl::IsAlreadyExists(bound.status()) || tries == kPortTries) {
      return bound.status();
    }
  }
  CAIRN_ASSIGN_OR_RETURN(const Address local, Address::Parse(listener->local_address()));
  if (config.swim.address.empty()) {
    config.swim.address = local;
  } else if (config.swim.address.port() == 0) {
    CAIRN_ASSIGN_OR_RETURN(config.swim.address,
                           Address::FromBytes(config.swim.address.ip(), local.port()));
  }
  CAIRN_ASSIGN_OR_RETURN(std::unique_ptr<Serf> serf,
                         Serf::Create(std::move(config), random, clock.MonotonicNs(), restored));
  std::unique_ptr<GossipNode> node(new GossipNode(std::move(listener), std::move(socket),
                                                  std::move(serf), network, executor, clock,
                                                  std::move(on_event)));
  // The rest belongs to the executor's thread.
  executor.Post([node = node.get(), alive = std::weak_ptr<bool>(node->alive_)] {
    if (alive.expired()) return;
    node->Receive();
    node->Accept();
    node->Pump();
  });
  return node;
}

GossipNode::GossipNode(std::unique_ptr<env::Listener> listener,
                       std::unique_ptr<env::DatagramSocket> socket, std::unique_ptr<Serf> serf,
                       env::Network& network, env::Executor& executor, const env::Clock& clock,
                       EventCallback on_event)
    : listener_(std::move(listener)),
      socket_(std::move(socket)),
      serf_(std::move(serf)),
      network_(network),
      executor_(executor),
      clock_(clock),
      on_event_(std::move(on_event)),
      buffer_(kMaxPacketBytes, '\0') {}

GossipNode::~GossipNode() {
  alive_.reset();
  if (alarm_ != 0) executor_.Cancel(alarm_);
}

void GossipNode::Receive() {
  // The buffer outlives the callback, which comes after the socket's end too.
  auto buffer = std::make_shared<std::string>(std::move(buffer_));
  socket_->Receive(*buffer, [this, buffer, alive = std::weak_ptr<bool>(alive_)](
                                absl::StatusOr<env::DatagramSocket::Received> received) {
    if (alive.expired() || absl::IsCancelled(received.status())) return;
    buffer_.swap(*buffer);
    if (received.ok()) {
      failed_receives_ = 0;
      if (const absl::StatusOr<Address> from = Address::Parse(received->from); from.ok()) {
        serf_->OnPacket(clock_.MonotonicNs(), *from,
                        std::string_view(buffer_).substr(0, received->size_bytes));
        Pump();
      }
    } else if (++failed_receives_ == kFailedReceives) {
      failed_receives_ = 0;
      executor_.PostAfter(kRetryNs, [this, alive] {
        if (!alive.expired()) Receive();
      });
      return;
    }
    Receive();
  });
}

void GossipNode::Accept() {
  listener_->Accept([this, alive = std::weak_ptr<bool>(alive_)](
                        absl::StatusOr<std::unique_ptr<env::Connection>> accepted) {
    if (alive.expired() || absl::IsCancelled(accepted.status())) return;
    if (!accepted.ok()) {
      executor_.PostAfter(kRetryNs, [this, alive] {
        if (!alive.expired()) Accept();
      });
      return;
    }
    if (inbound_.size() >= kMaxConnections || buffered_bytes_ > kMaxBufferedBytes) {
      ++counters_.connections_refused;
    } else {
      const uint64_t id = next_stream_++;
      inbound_[id] = std::make_unique<Inbound>(*this, id, *std::move(accepted));
      inbound_[id]->Start();
    }
    Accept();
  });
}

void GossipNode::OnStreamEnd(uint64_t id, bool failed) {
  if (failed) ++counters_.streams_failed;
  // Not now: it is on the stack.
  executor_.Post([this, id, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired()) return;
    inbound_.erase(id);
    outbound_.erase(id);
  });
}

void GossipNode::Pump() {
  if (std::exchange(pumping_, true)) return;  // an event's callback calls; the loop below goes on
  while (true) {
    Actions actions = serf_->TakeActions();
    std::vector<SerfEvent> events = serf_->TakeEvents();
    if (actions.empty() && events.empty()) break;
    for (const SendPacket& packet : actions.packets) {
      socket_->Send(packet.to.ToString(), packet.bytes);
    }
    for (StartExchange& exchange : actions.exchanges) {
      const uint64_t id = next_stream_++;
      outbound_[id] = std::make_shared<Outbound>(*this, id, std::move(exchange));
      outbound_[id]->Start();
    }
    for (const SerfEvent& event : events) {
      if (on_event_) on_event_(event);
    }
  }
  pumping_ = false;
  SetAlarm();
}

void GossipNode::SetAlarm() {
  const int64_t deadline_ns = serf_->next_deadline_ns();
  if (alarm_ != 0 && alarm_ns_ == deadline_ns) return;
  if (alarm_ != 0) executor_.Cancel(alarm_);
  alarm_ns_ = deadline_ns;
  const int64_t delay_ns = std::max<int64_t>(0, deadline_ns - clock_.MonotonicNs());
  alarm_ = executor_.PostAfter(delay_ns, [this, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired()) return;
    alarm_ = 0;
    serf_->Advance(clock_.MonotonicNs());
    Pump();
  });
}

}  // namespace cairn::gossip
