#include "gossip/wire/stream.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "gossip/wire/big_endian.h"
#include "gossip/wire/limits.h"
#include "gossip/wire/message_codec.h"
#include "gossip/wire/msgpack.h"

namespace cairn::gossip {
namespace {

constexpr size_t kSealedHeadBytes = 1 + 4;
constexpr size_t kFirstReadBytes = 4096;

std::string EncodeUser(const UserMessage& message) {
  MsgpackWriter writer;
  writer.Map(1).Raw("UserMsgLen").Uint(message.bytes.size());
  return static_cast<char>(MessageType::kUser) + writer.bytes() + message.bytes;
}

std::string EncodeStreamMessage(const StreamMessage& message) {
  if (const auto* push_pull = std::get_if<PushPull>(&message)) return EncodePushPull(*push_pull);
  if (const auto* ping = std::get_if<Ping>(&message)) return Encode(*ping);
  if (const auto* ack = std::get_if<Ack>(&message)) return Encode(*ack);
  if (const auto* user = std::get_if<UserMessage>(&message)) return EncodeUser(*user);
  return Encode(std::get<ErrorMessage>(message));
}

absl::Status TooLong(std::string_view what, uint64_t size, uint64_t limit) {
  return absl::ResourceExhaustedError(
      base::StrCat("stream with ", what, " ", size, " bytes; the limit is ", limit));
}

absl::StatusOr<StreamMessage> DecodeUser(std::string_view body) {
  MsgpackReader reader(body);
  uint64_t size = 0;
  reader.TakeStruct([&](std::string_view name) {
    return name == "UserMsgLen" ? reader.Take(size) : reader.Skip();
  });
  CAIRN_RETURN_IF_ERROR(CheckStructure(reader));
  if (size > kMaxStreamUserBytes) return TooLong("a user message of", size, kMaxStreamUserBytes);
  if (reader.rest().size() < size) return absl::OutOfRangeError("the user message is cut short");
  return UserMessage{std::string(reader.rest().substr(0, static_cast<size_t>(size)))};
}

// A small structure of which all that is left to say is whether it is whole.
template <typename Message>
absl::StatusOr<StreamMessage> Checked(absl::StatusOr<Message> message,
                                      const MsgpackReader& reader) {
  CAIRN_RETURN_IF_ERROR(CheckStructure(reader));
  CAIRN_RETURN_IF_ERROR(message.status());
  return *std::move(message);
}

// Everything is there: an early end is no reason to wait for more.
absl::StatusOr<StreamMessage> Whole(absl::StatusOr<StreamMessage> message) {
  if (!absl::IsOutOfRange(message.status())) return message;
  return absl::InvalidArgumentError(message.status().message());
}

// A message that is neither sealed nor compressed. `push_pull` keeps what is decoded of one.
absl::StatusOr<StreamMessage> DecodeMessage(std::string_view message, PushPullDecoder& push_pull) {
  if (message.empty()) return absl::OutOfRangeError("an empty message");
  const auto type = static_cast<MessageType>(message[0]);
  const std::string_view body = message.substr(1);
  MsgpackReader reader(body);
  switch (type) {
    case MessageType::kPushPull:
      CAIRN_RETURN_IF_ERROR(push_pull.Decode(body));
      return push_pull.Take();
    case MessageType::kUser:
      return DecodeUser(body);
    case MessageType::kPing:
      return Checked(TakePing(reader), reader);
    case MessageType::kAck:
      return Checked(TakeAck(reader), reader);
    case MessageType::kError:
      return Checked(TakeError(reader), reader);
    default:
      return absl::InvalidArgumentError(
          base::StrCat("message type ", static_cast<int>(type), " in a stream"));
  }
}

}  // namespace

std::string MakeStream(const StreamMessage& message, const Envelope& envelope, bool compress,
                       env::Random& random) {
  std::string content = EncodeStreamMessage(message);
  if (compress) content = CompressMessage(content);
  if (envelope.keyring.enabled()) {
    std::string head(1, static_cast<char>(MessageType::kEncrypted));
    AppendBigEndian<uint32_t>(head, static_cast<uint32_t>(content.size() + kSealOverheadBytes));
    const std::string sealed = envelope.keyring.Seal(content, head + envelope.label, random);
    content = head + sealed;
  }
  return LabelHeader(envelope.label) + content;
}

StreamReader::StreamReader(const Envelope& envelope, size_t limit_bytes)
    : envelope_(envelope), limit_bytes_(limit_bytes), push_pull_(limit_bytes) {}

std::span<char> StreamReader::Space() {
  // Doubles: what a peer only announces takes no memory.
  if (filled_ == buffer_.size()) buffer_.resize(std::max(kFirstReadBytes, 2 * filled_));
  return std::span(buffer_).subspan(filled_);
}

absl::StatusOr<std::optional<StreamMessage>> StreamReader::Next() {
  if (filled_ > limit_bytes_) return TooLong("more than", limit_bytes_, limit_bytes_);
  const absl::StatusOr<std::string_view> behind_label =
      TakeLabel(std::string_view(buffer_).substr(0, filled_), envelope_.label);
  if (filled_ == 0 || absl::IsOutOfRange(behind_label.status())) return std::nullopt;
  CAIRN_RETURN_IF_ERROR(behind_label.status());
  const std::string_view message = *behind_label;
  if (message.empty()) return std::nullopt;
  const bool sealed = message[0] == static_cast<char>(MessageType::kEncrypted);
  if (sealed != envelope_.keyring.enabled()) {
    return absl::UnauthenticatedError(sealed ? "the stream is sealed, and there is no key"
                                             : "the stream is not sealed");
  }
  absl::StatusOr<StreamMessage> result = sealed ? Unseal(message) : DecodePlain(message);
  if (absl::IsOutOfRange(result.status())) return std::nullopt;
  CAIRN_RETURN_IF_ERROR(result.status());
  return *std::move(result);
}

absl::StatusOr<StreamMessage> StreamReader::DecodePlain(std::string_view message) {
  if (message[0] != static_cast<char>(MessageType::kCompressed)) {
    return DecodeMessage(message, push_pull_);
  }
  CAIRN_ASSIGN_OR_RETURN(const std::string expanded,
                         ExpandMessage(message.substr(1), limit_bytes_));
  PushPullDecoder push_pull(limit_bytes_);
  return Whole(DecodeMessage(expanded, push_pull));
}

absl::StatusOr<StreamMessage> StreamReader::Unseal(std::string_view message) {
  if (message.size() < kSealedHeadBytes) return absl::OutOfRangeError("the head is cut short");
  const size_t size = LoadBigEndian<uint32_t>(message.substr(1));
  if (size > limit_bytes_) return TooLong("a sealed message of", size, limit_bytes_);
  if (message.size() < kSealedHeadBytes + size) return absl::OutOfRangeError("not all there yet");
  const std::string associated = std::string(message.substr(0, kSealedHeadBytes)) + envelope_.label;
  CAIRN_ASSIGN_OR_RETURN(
      const std::string opened,
      envelope_.keyring.Open(message.substr(kSealedHeadBytes, size), associated));
  if (opened.empty()) return absl::InvalidArgumentError("an empty sealed message");
  return Whole(DecodePlain(opened));
}

}  // namespace cairn::gossip
