// PeerOutgoing: one outgoing connection of the transport, from dialling to its end. Does the
// dialler's half of the handshake, and the calls. Internal to the transport; belongs to the loop.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "consensus/frame_channel.h"
#include "consensus/peer_context.h"

namespace cairn::consensus {

class PeerOutgoing : public std::enable_shared_from_this<PeerOutgoing> {
 public:
  struct Target {
    std::string address;
    PeerPurpose purpose = PeerPurpose::kPeer;
    NodeId node;  // 0: whoever is there
  };
  // Never called within a call of the owner's, and not after Close.
  struct Events {
    absl::AnyInvocable<void(const PeerIdentity&)> up;
    // Once, last. `refused`: one of the two did not want the other; trying again soon is no use.
    absl::AnyInvocable<void(const absl::Status& why, bool refused)> down;
    absl::AnyInvocable<void()> drained;
  };

  PeerOutgoing(std::shared_ptr<PeerContext> context, Target target, Events events)
      : context_(std::move(context)), target_(std::move(target)), events_(std::move(events)) {}

  void Start();

  // As PeerTransport::Call. `payload_crc` is the payload's.
  void Call(uint16_t method, std::shared_ptr<const std::string> payload, uint32_t payload_crc,
            int64_t timeout_ns, PeerTransport::CallDone done);

  // Ends everything; the calls get `why`.
  void Close(const absl::Status& why);

  bool up() const { return up_; }
  // Not null once up.
  const std::shared_ptr<FrameChannel>& channel() const { return channel_; }

 private:
  struct PendingCall {
    PeerTransport::CallDone done;
    env::Executor::TimerId timer;
  };

  void OnDialled(absl::StatusOr<std::unique_ptr<env::Connection>> connection);
  absl::Status OnFrame(Frame frame);
  absl::Status OnWelcome(const Frame& frame);
  absl::Status OnRefusal(const Frame& frame);
  absl::Status OnResponse(Frame frame);
  void OnClosed(const absl::Status& why);
  void Fail(const absl::Status& why, bool refused);

  const std::shared_ptr<PeerContext> context_;
  const Target target_;
  Events events_;
  std::shared_ptr<FrameChannel> channel_;  // shared with senders
  env::Executor::TimerId handshake_timer_ = 0;
  bool up_ = false;
  bool closed_ = false;
  // Set when the frame being handled is the reason for the end.
  std::optional<PeerRejection> rejection_;
  uint64_t next_call_ = 1;
  std::map<uint64_t, PendingCall> calls_;
};

}  // namespace cairn::consensus
