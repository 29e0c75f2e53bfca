// A node that gossips: the core, one UDP socket and one TCP listener on the same address, and the
// executor's timers.
//
// Everything, callbacks included, runs on the executor's thread; so do construction (after Listen)
// and destruction. A peer costs at most a connection of kMaxConnections for the time of a deadline.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "env/clock.h"
#include "env/executor.h"
#include "env/network.h"
#include "env/random.h"
#include "gossip/serf/serf.h"

namespace cairn::gossip {

// Connections that others have opened; more are closed at once. memberlist allows 128 push/pulls.
inline constexpr size_t kMaxConnections = 128;
// What they may hold together of messages that are not complete.
inline constexpr size_t kMaxBufferedBytes = 64 << 20;

struct NodeCounters {
  uint64_t connections_refused = 0;  // too many at once
  uint64_t streams_failed = 0;       // late, malformed, or broken off
};

class GossipNode {
 public:
  using EventCallback = std::function<void(const SerfEvent&)>;

  // Listens on `bind_address` ("ip:port"; port 0 takes one that is free for both) and starts. What
  // others are told to send to is `config.swim.address`, with the port where it listens for a port
  // 0; or, when that is empty, where it listens. Blocking only for the binding. Errors: those of
  // Network and of Serf::Create.
  static absl::StatusOr<std::unique_ptr<GossipNode>> Start(
      const std::string& bind_address, SerfConfig config, env::Network& network,
      env::Executor& executor, const env::Clock& clock, env::Random& random, EventCallback on_event,
      const SerfSnapshot& restored = {});
  ~GossipNode();
  GossipNode(const GossipNode&) = delete;
  GossipNode& operator=(const GossipNode&) = delete;

  // Calls into the core at the present time; what it wants done is done, and events are delivered.
  template <typename Call>
  auto With(Call call) {
    serf_->Advance(clock_.MonotonicNs());
    if constexpr (std::is_void_v<decltype(call(*serf_))>) {
      call(*serf_);
      Pump();
    } else {
      auto result = call(*serf_);
      Pump();
      return result;
    }
  }
  const Serf& serf() const { return *serf_; }
  const std::string& local_address() const { return listener_->local_address(); }
  const NodeCounters& counters() const { return counters_; }

 private:
  class Inbound;
  class Outbound;

  GossipNode(std::unique_ptr<env::Listener> listener, std::unique_ptr<env::DatagramSocket> socket,
             std::unique_ptr<Serf> serf, env::Network& network, env::Executor& executor,
             const env::Clock& clock, EventCallback on_event);

  void Receive();
  void Accept();
  void Pump();
  void SetAlarm();
  void OnStreamEnd(uint64_t id, bool failed);

  std::unique_ptr<env::Listener> listener_;
  std::unique_ptr<env::DatagramSocket> socket_;
  std::unique_ptr<Serf> serf_;
  env::Network& network_;
  env::Executor& executor_;
  const env::Clock& clock_;
  EventCallback on_event_;
  NodeCounters counters_;
  std::string buffer_;       // of the next datagram
  int failed_receives_ = 0;  // in a row
  bool pumping_ = false;
  int64_t alarm_ns_ = 0;
  env::Executor::TimerId alarm_ = 0;
  uint64_t next_stream_ = 1;
  std::map<uint64_t, std::unique_ptr<Inbound>> inbound_;
  std::map<uint64_t, std::shared_ptr<Outbound>> outbound_;  // shared with a Connect under way
  size_t buffered_bytes_ = 0;
  // Dies with the node: callbacks that may come later look first.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace cairn::gossip
