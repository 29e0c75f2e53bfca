// A node of the peer transport over real sockets and a loop of its own, for tests and benchmarks.
#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "consensus/peer_transport.h"
#include "env/event_loop.h"
#include "env/posix.h"

namespace cairn::consensus {

class SocketNode : public PeerTransport::Handler {
 public:
  explicit SocketNode(int id, PeerTransport::Options options = {}) : dialer_(loop_) {
    options.identity = {.cluster = base::Uuid::FromRandom(1, 1),
                        .node_uuid = base::Uuid::FromRandom(2, static_cast<uint64_t>(id)),
                        .node = NodeId(id),
                        .name = "n" + std::to_string(id)};
    listener_ = loop_.Listen("127.0.0.1:0").value();
    options.identity.address = listener_->local_address();
    transport_ = std::make_unique<PeerTransport>(
        PeerTransport::Dependencies{&loop_, &env::SystemClock(), &env::SystemRandom(), &dialer_,
                                    this},
        options);
    loop_.Post([this] { AcceptNext(); });
  }
  ~SocketNode() override {
    std::promise<void> stopped;
    transport_->Stop([&] {
      listener_.reset();
      stopped.set_value();
    });
    stopped.get_future().wait();
  }

  std::string address() const { return listener_->local_address(); }
  PeerTransport& transport() { return *transport_; }

  void OnMessage(NodeId, GroupId group, Message message) override {
    if (on_message) on_message(group, std::move(message));
  }
  void OnRequest(const PeerIdentity&, uint16_t, std::string payload,
                 PeerResponder responder) override {
    responder.Respond(std::move(payload));
  }
  void OnPeerUp(const PeerIdentity&) override { ups.fetch_add(1); }
  void OnPeerDown(NodeId, const absl::Status&) override { downs.fetch_add(1); }

  // Set before the peers know each other; on the loop.
  std::function<void(GroupId, Message)> on_message;
  std::atomic<int> ups{0};
  std::atomic<int> downs{0};

 private:
  void AcceptNext() {
    listener_->Accept([this](absl::StatusOr<std::unique_ptr<env::Connection>> accepted) {
      if (!accepted.ok()) return;
      auto connection = std::make_shared<std::unique_ptr<env::Connection>>(*std::move(accepted));
      auto first = std::make_shared<std::string>(1, '\0');
      env::Connection& reader = **connection;
      reader.Read(*first, [this, connection, first](absl::StatusOr<size_t> size) {
        if (size.ok() && *size == 1) transport_->Accept(std::move(*connection), *first);
      });
      AcceptNext();
    });
  }

  env::EventLoop loop_{"peers"};
  PlainDialer dialer_;
  std::unique_ptr<env::Listener> listener_;
  std::unique_ptr<PeerTransport> transport_;
};

}  // namespace cairn::consensus
