// What the parts of a PeerTransport share. Internal to the transport.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "consensus/frame_channel.h"
#include "consensus/peer_transport.h"

namespace cairn::consensus {

// Belongs to the loop, but for the counters.
struct PeerContext {
  PeerTransport::Dependencies deps;
  PeerTransport::Options options;
  bool stopped = false;  // the handler is not called any more

  std::shared_ptr<FrameChannel::Counters> bytes = std::make_shared<FrameChannel::Counters>();
  std::atomic<uint64_t> messages_sent{0};
  std::atomic<uint64_t> messages_received{0};
  std::atomic<uint64_t> messages_refused{0};
  std::atomic<uint64_t> dials{0};
  std::atomic<uint64_t> connects{0};
  std::atomic<uint64_t> disconnects{0};
  std::atomic<uint64_t> accepts{0};
  std::array<std::atomic<uint64_t>, kPeerRejections> rejections{};

  const PeerIdentity& self() const { return options.identity; }

  // Counts and tells.
  void Reject(PeerRejection kind, const std::string& address, const absl::Status& why) {
    rejections[static_cast<size_t>(kind)].fetch_add(1, std::memory_order_relaxed);
    if (!stopped) deps.handler->OnRejected(kind, address, why);
  }

  FrameChannel::Options ChannelOptions() const {
    return {.loop = deps.loop,
            .clock = deps.clock,
            .counters = bytes,
            .queue_limit_bytes = options.queue_limit_bytes,
            .ping_after_ns = options.ping_after_ns,
            .silence_ns = options.silence_ns,
            .max_frame_bytes = kMaxHandshakeBytes};
  }

  // What a channel that ended with `why` is to be counted as; nullopt: a connection ended, as they
  // do.
  static std::optional<PeerRejection> KindOf(const absl::Status& why) {
    switch (why.code()) {
      case absl::StatusCode::kDataLoss:
        return PeerRejection::kBadChecksum;
      case absl::StatusCode::kInvalidArgument:
        return PeerRejection::kMalformed;
      case absl::StatusCode::kResourceExhausted:
        return PeerRejection::kOversized;
      case absl::StatusCode::kOutOfRange:
        return PeerRejection::kTruncated;
      case absl::StatusCode::kFailedPrecondition:
        return PeerRejection::kUnexpected;
      default:
        return std::nullopt;
    }
  }
};

}  // namespace cairn::consensus
