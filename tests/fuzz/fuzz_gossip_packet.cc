// What comes by UDP: a datagram is unfolded into messages or refused, each message is decoded or
// refused, without a crash; what is decoded and encoded again is the same.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "gossip/wire/message_codec.h"
#include "gossip/wire/packet.h"
#include "gossip/wire/serf_messages.h"
#include "gossip/wire/tags.h"

namespace cairn::gossip {
namespace {

template <typename Message, typename Decode>
void Check(const absl::StatusOr<Message>& message, Decode decode) {
  if (!message.ok()) return;
  const std::string bytes = Encode(*message);
  const auto again = decode(std::string_view(bytes).substr(1));
  CAIRN_CHECK(again.ok() && *again == *message, "decoding loses nothing");
}

void DecodeOne(MessageType type, std::string_view body) {
  switch (type) {
    case MessageType::kPing:
      return Check(DecodePing(body), DecodePing);
    case MessageType::kIndirectPing:
      return Check(DecodeIndirectPing(body), DecodeIndirectPing);
    case MessageType::kAck:
      return Check(DecodeAck(body), DecodeAck);
    case MessageType::kNack:
      return Check(DecodeNack(body), DecodeNack);
    case MessageType::kSuspect:
      return Check(DecodeSuspect(body), DecodeSuspect);
    case MessageType::kDead:
      return Check(DecodeDead(body), DecodeDead);
    case MessageType::kAlive: {
      const auto alive = DecodeAlive(body);
      Check(alive, DecodeAlive);
      if (alive.ok()) (void)DecodeTags(alive->meta);
      return;
    }
    case MessageType::kUser:
      (void)DecodeSerf(body);
      return;
    default:
      return;
  }
}

}  // namespace
}  // namespace cairn::gossip

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cairn::gossip;
  static const Envelope plain;
  const auto packet = OpenedPacket::Open({reinterpret_cast<const char*>(data), size}, plain);
  if (!packet.ok()) return 0;
  for (const auto& message : packet->messages()) DecodeOne(message.type, message.body);
  return 0;
}
