// A TCP exchange, from messages to bytes and back. There is one message per direction:
//
//   stream  = [label header] (message | 10 size(4, big-endian) sealed)     sealed when there are
//   keys message = 9 compressed message
//           | 6 {Join, Nodes, UserStateLen} {node}*Nodes user state          push/pull
//           | 8 {UserMsgLen} bytes                                           a message of Serf's
//           | 0 ping | 2 ack | 13 error
//
// What is sealed is bound to the five bytes before it and the label.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "absl/status/statusor.h"
#include "env/random.h"
#include "gossip/wire/envelope.h"
#include "gossip/wire/messages.h"
#include "gossip/wire/push_pull.h"

namespace cairn::gossip {

// A message for the layer above that came by TCP.
struct UserMessage {
  std::string bytes;

  friend bool operator==(const UserMessage&, const UserMessage&) = default;
};

using StreamMessage = std::variant<PushPull, Ping, Ack, UserMessage, ErrorMessage>;

// The bytes of one direction. Compressed, as every node with compression on expects to see and
// every other can read. Not larger than kMaxStreamBytes for what the limits in limits.h allow.
std::string MakeStream(const StreamMessage& message, const Envelope& envelope, bool compress,
                       env::Random& random);

// Gathers the bytes of one direction until they are a message. Thread-compatible.
class StreamReader {
 public:
  // `envelope` outlives the reader. Nothing beyond `limit_bytes` is gathered or unfolded.
  StreamReader(const Envelope& envelope, size_t limit_bytes);

  // Room for the next bytes; never empty. Valid until the next call. Whoever writes `n` bytes there
  // calls Advance(n).
  std::span<char> Space();
  void Advance(size_t size_bytes) { filled_ += size_bytes; }

  // The message, once, or nullopt while it is incomplete. Errors, for good: PERMISSION_DENIED,
  // UNAUTHENTICATED (a plain stream, too, when there are keys), RESOURCE_EXHAUSTED for what is over
  // a limit, as soon as the bytes say so; INVALID_ARGUMENT, OUT_OF_RANGE.
  absl::StatusOr<std::optional<StreamMessage>> Next();

  size_t buffered_bytes() const { return filled_; }

 private:
  // Both: OUT_OF_RANGE while there is not enough of it. `message` is not empty.
  absl::StatusOr<StreamMessage> Unseal(std::string_view message);
  absl::StatusOr<StreamMessage> DecodePlain(std::string_view message);

  const Envelope& envelope_;
  const size_t limit_bytes_;
  std::string buffer_;
  size_t filled_ = 0;
  PushPullDecoder push_pull_;  // of a push/pull that is neither sealed nor compressed
};

}  // namespace cairn::gossip
