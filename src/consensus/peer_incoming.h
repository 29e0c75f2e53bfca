// PeerIncoming: one connection that a peer has opened. Does the accepting half of the handshake,
// then hands messages and requests to the handler. Internal to the transport; belongs to the loop.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "consensus/frame_channel.h"
#include "consensus/peer_context.h"

namespace cairn::consensus {

class PeerIncoming : public std::enable_shared_from_this<PeerIncoming> {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // The peer is who it should be; its identity and purpose are known from now on.
    virtual void OnIncomingUp(const std::shared_ptr<PeerIncoming>& incoming) = 0;
    // Last; never within a call of the owner's, and not after Close.
    virtual void OnIncomingClosed(const std::shared_ptr<PeerIncoming>& incoming) = 0;
  };

  // `owner` lives until this is closed; `id` is the owner's.
  PeerIncoming(std::shared_ptr<PeerContext> context, Owner& owner, uint64_t id)
      : context_(std::move(context)), owner_(owner), id_(id) {}

  // `received` begins behind the first byte.
  void Start(std::unique_ptr<env::Connection> connection, std::string_view received);
  void Close();

  uint64_t id() const { return id_; }
  const PeerIdentity& peer() const { return peer_; }
  PeerPurpose purpose() const { return purpose_; }
  const std::shared_ptr<FrameChannel>& channel() const { return channel_; }

 private:
  // The requests that are not answered yet. Shared with responders, on any thread.
  struct Requests {
    std::atomic<size_t> count{0};
    std::atomic<size_t> bytes{0};
  };

  absl::Status OnFrame(Frame frame);
  absl::Status OnHello(const Frame& frame);
  void Refuse(PeerRejection kind, RefusalReason reason, const std::string& why);
  absl::Status OnRequest(Frame frame);
  void OnClosed(const absl::Status& why);

  const std::shared_ptr<PeerContext> context_;
  Owner& owner_;
  const uint64_t id_;
  std::shared_ptr<FrameChannel> channel_;  // shared with responders
  env::Executor::TimerId handshake_timer_ = 0;
  bool up_ = false;
  bool refused_ = false;  // a refusal is on its way
  bool closed_ = false;
  PeerIdentity peer_;
  PeerPurpose purpose_ = PeerPurpose::kCalls;
  const std::shared_ptr<Requests> requests_ = std::make_shared<Requests>();
};

}  // namespace cairn::consensus
