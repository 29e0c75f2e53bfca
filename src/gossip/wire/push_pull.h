// A push/pull as bytes. It may be long and come in small pieces, so its decoder goes on where the
// bytes ended the last time: a message that trickles in is read once, not once for every piece.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "gossip/wire/messages.h"
#include "gossip/wire/msgpack.h"

namespace cairn::gossip {

// With the type in front.
std::string EncodePushPull(const PushPull& message);

// Thread-compatible.
class PushPullDecoder {
 public:
  explicit PushPullDecoder(size_t limit_bytes) : limit_bytes_(limit_bytes) {}

  // `body` is everything behind the type so far: what the last call was given and perhaps more. OK
  // when the message is whole. Errors: OUT_OF_RANGE when it is not yet; for good,
  // RESOURCE_EXHAUSTED for a count or size over the limits, INVALID_ARGUMENT for the rest. A node
  // with a name, meta or state that nobody may have is left out; the others count.
  absl::Status Decode(std::string_view body);

  // After OK; once.
  PushPull Take() { return std::move(message_); }

 private:
  absl::Status DecodeHead(std::string_view body);

  const size_t limit_bytes_;
  PushPull message_;
  bool has_head_ = false;
  size_t position_ = 0;  // behind what is decoded
  uint64_t nodes_left_ = 0;
  uint64_t user_state_bytes_ = 0;
};

// OUT_OF_RANGE of a reader that began at the start of a structure becomes INVALID_ARGUMENT when it
// is already longer, up to the value that is cut, than any such structure is: nobody is made to
// read it again for every piece of it.
absl::Status CheckStructure(const MsgpackReader& reader);

}  // namespace cairn::gossip
