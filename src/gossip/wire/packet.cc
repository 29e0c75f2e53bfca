#include "gossip/wire/packet.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "gossip/wire/big_endian.h"
#include "gossip/wire/crc32.h"
#include "gossip/wire/limits.h"

namespace cairn::gossip {
namespace {

constexpr size_t kChecksumBytes = 1 + 4;

bool IsKnown(MessageType type) {
  return type <= MessageType::kError && type != MessageType::kPushPull &&
         type != MessageType::kEncrypted && type != MessageType::kChecksum;
}

absl::Status Malformed(std::string_view what) {
  return absl::InvalidArgumentError(base::StrCat("malformed packet: ", what));
}

}  // namespace

size_t PacketRoomBytes(const Envelope& envelope) {
  const size_t around = kChecksumBytes + LabelHeader(envelope.label).size() +
                        (envelope.keyring.enabled() ? kSealOverheadBytes : 0);
  return kPacketBudgetBytes - around;
}

std::string JoinMessages(std::span<const std::string> messages) {
  if (messages.empty()) return {};
  if (messages.size() == 1) return messages.front();
  CAIRN_CHECK(messages.size() <= kMaxCompoundParts, "the count of a compound is one byte");
  std::string joined(1, static_cast<char>(MessageType::kCompound));
  joined.push_back(static_cast<char>(messages.size()));
  for (const std::string& message : messages) {
    CAIRN_CHECK(message.size() <= UINT16_MAX, "a size within a compound is two bytes");
    AppendBigEndian<uint16_t>(joined, static_cast<uint16_t>(message.size()));
  }
  for (const std::string& message : messages) joined += message;
  return joined;
}

std::string MakePacket(std::string_view message, const Envelope& envelope,
                       const PacketOptions& options, env::Random& random) {
  std::string compressed;
  if (options.compress) compressed = CompressMessage(message);
  const bool smaller = !compressed.empty() && compressed.size() < message.size();
  const std::string_view content = smaller ? std::string_view(compressed) : message;
  std::string packet;
  if (options.checksum) {
    packet.push_back(static_cast<char>(MessageType::kChecksum));
    AppendBigEndian<uint32_t>(packet, Crc32(content));
  }
  packet += content;
  if (envelope.keyring.enabled()) packet = envelope.keyring.Seal(packet, envelope.label, random);
  return LabelHeader(envelope.label) + packet;
}

absl::StatusOr<OpenedPacket> OpenedPacket::Open(std::string_view datagram,
                                                const Envelope& envelope) {
  OpenedPacket result;
  CAIRN_ASSIGN_OR_RETURN(std::string_view packet, TakeLabel(datagram, envelope.label));
  if (envelope.keyring.enabled()) {
    CAIRN_ASSIGN_OR_RETURN(std::string opened, envelope.keyring.Open(packet, envelope.label));
    packet = result.buffers_.emplace_back(std::move(opened));
  } else {
    packet = result.buffers_.emplace_back(packet);
  }
  if (!packet.empty() && packet[0] == static_cast<char>(MessageType::kChecksum)) {
    if (packet.size() < kChecksumBytes) return Malformed("the checksum is cut short");
    const auto expected = LoadBigEndian<uint32_t>(packet.substr(1));
    packet.remove_prefix(kChecksumBytes);
    if (const uint32_t found = Crc32(packet); found != expected) {
      return absl::DataLossError(
          absl::StrFormat("packet CRC32: expected %08x, found %08x", expected, found));
    }
  }
  CAIRN_RETURN_IF_ERROR(result.Unfold(packet, 0));
  return result;
}

absl::Status OpenedPacket::Unfold(std::string_view message, int depth) {
  if (message.empty()) return Malformed("an empty message");
  if (depth == kMaxPacketNesting) {
    return absl::ResourceExhaustedError(
        base::StrCat("packet nested deeper than ", kMaxPacketNesting));
  }
  const auto type = static_cast<MessageType>(message[0]);
  const std::string_view body = message.substr(1);
  if (type == MessageType::kCompound) return UnfoldCompound(body, depth);
  if (type == MessageType::kCompressed) {
    CAIRN_ASSIGN_OR_RETURN(std::string expanded,
                           ExpandMessage(body, kMaxExpandedPacketBytes - expanded_bytes_));
    expanded_bytes_ += expanded.size();
    return Unfold(buffers_.emplace_back(std::move(expanded)), depth + 1);
  }
  if (!IsKnown(type)) {
    return Malformed(base::StrCat("message type ", static_cast<int>(type), " in a packet"));
  }
  if (messages_.size() == kMaxPacketMessages) {
    return absl::ResourceExhaustedError(
        base::StrCat("packet of more than ", kMaxPacketMessages, " messages"));
  }
  messages_.push_back({type, body});
  return absl::OkStatus();
}

absl::Status OpenedPacket::UnfoldCompound(std::string_view body, int depth) {
  if (body.empty()) return Malformed("a compound without a count");
  const size_t count = static_cast<uint8_t>(body[0]);
  std::string_view sizes = body.substr(1);
  if (sizes.size() < count * kCompoundPartBytes) return Malformed("the compound's sizes are cut");
  std::string_view parts = sizes.substr(count * kCompoundPartBytes);
  for (size_t i = 0; i < count; ++i) {
    const size_t size = LoadBigEndian<uint16_t>(sizes.substr(i * kCompoundPartBytes));
    if (size > parts.size()) return Malformed("a part of the compound is cut");
    CAIRN_RETURN_IF_ERROR(Unfold(parts.substr(0, size), depth + 1));
    parts.remove_prefix(size);
  }
  return absl::OkStatus();
}

}  // namespace cairn::gossip
