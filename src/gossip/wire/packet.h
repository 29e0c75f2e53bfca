// A datagram, from messages to bytes and back:
//
//   datagram   = [label header] (packet | sealed packet)      sealed when there are keys
//   packet     = [12 crc32(4, big-endian) of the rest] message
//   message    = 7 compound | 9 compressed | any other type and its body
//   compound   = count(1) size(2, big-endian)*count message*count
//   compressed = {Algo, Buf}: LZW of a message
//
// Pure functions, any thread.
#pragma once

#include <cstddef>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "env/random.h"
#include "gossip/wire/envelope.h"
#include "gossip/wire/messages.h"

namespace cairn::gossip {

// What a compound takes besides its messages: once, and for each.
inline constexpr size_t kCompoundHeadBytes = 2;
inline constexpr size_t kCompoundPartBytes = 2;
inline constexpr size_t kMaxCompoundParts = 255;

// What a packet may carry (of messages, compound bytes included) to stay within kPacketBudgetBytes
// once it is labelled, summed and sealed.
size_t PacketRoomBytes(const Envelope& envelope);

// One message, or a compound of 2 to kMaxCompoundParts, each below 64 KiB. Nothing of nothing.
std::string JoinMessages(std::span<const std::string> messages);

struct PacketOptions {
  bool compress = true;   // where that makes it smaller
  bool checksum = false;  // the receiver speaks protocol 5
};

// `message` (a type and a body) as a datagram.
std::string MakePacket(std::string_view message, const Envelope& envelope,
                       const PacketOptions& options, env::Random& random);

// The messages within a datagram, unfolded. A value that owns what they refer to.
class OpenedPacket {
 public:
  struct Message {
    MessageType type;  // none that contains others
    std::string_view body;
  };

  // Errors, and then nothing of the datagram counts: PERMISSION_DENIED for a wrong label,
  // UNAUTHENTICATED for a packet that no key opens (a plain one, too, when there are keys);
  // DATA_LOSS for a wrong checksum; RESOURCE_EXHAUSTED for one that unfolds beyond the limits in
  // limits.h; INVALID_ARGUMENT or OUT_OF_RANGE for the rest.
  static absl::StatusOr<OpenedPacket> Open(std::string_view datagram, const Envelope& envelope);

  // Valid while this lives, and where it is moved to.
  const std::vector<Message>& messages() const { return messages_; }

 private:
  OpenedPacket() = default;

  absl::Status Unfold(std::string_view message, int depth);
  absl::Status UnfoldCompound(std::string_view body, int depth);

  std::deque<std::string> buffers_;  // a deque: its strings stay where they are
  size_t expanded_bytes_ = 0;
  std::vector<Message> messages_;
};

}  // namespace cairn::gossip
