#include "gossip/wire/push_pull.h"

#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "gossip/wire/limits.h"
#include "gossip/wire/message_codec.h"

namespace cairn::gossip {
namespace {

// Name, meta and the rest of a node are below 1 KiB; later versions may say more.
constexpr size_t kMaxStructureBytes = 8 << 10;

}  // namespace

absl::Status CheckStructure(const MsgpackReader& reader) {
  absl::Status status = reader.status();
  if (absl::IsOutOfRange(status) && reader.position() > kMaxStructureBytes) {
    return absl::InvalidArgumentError(
        base::StrCat("a structure of more than ", kMaxStructureBytes, " bytes"));
  }
  return status;
}

std::string EncodePushPull(const PushPull& message) {
  MsgpackWriter writer;
  writer.Map(3).Raw("Join").Bool(message.join).Raw("Nodes").Uint(message.nodes.size());
  writer.Raw("UserStateLen").Uint(message.user_state.size());
  for (const PushNode& node : message.nodes) PutPushNode(node, writer);
  return static_cast<char>(MessageType::kPushPull) + writer.bytes() + message.user_state;
}

absl::Status PushPullDecoder::DecodeHead(std::string_view body) {
  MsgpackReader reader(body);
  reader.TakeStruct([&](std::string_view name) {
    if (name == "Nodes") return reader.Take(nodes_left_);
    if (name == "UserStateLen") return reader.Take(user_state_bytes_);
    if (name == "Join") return reader.Take(message_.join);
    return reader.Skip();
  });
  CAIRN_RETURN_IF_ERROR(CheckStructure(reader));
  if (nodes_left_ > kMaxPushPullNodes) {
    return absl::ResourceExhaustedError(
        base::StrCat("a push/pull of ", nodes_left_, " nodes; the limit is ", kMaxPushPullNodes));
  }
  if (user_state_bytes_ > limit_bytes_) {
    return absl::ResourceExhaustedError(
        base::StrCat("a user state of ", user_state_bytes_, " bytes; the limit is ", limit_bytes_));
  }
  has_head_ = true;
  position_ = reader.position();
  return absl::OkStatus();
}

absl::Status PushPullDecoder::Decode(std::string_view body) {
  if (!has_head_) CAIRN_RETURN_IF_ERROR(DecodeHead(body));
  for (; nodes_left_ > 0; --nodes_left_) {
    MsgpackReader reader(body.substr(position_));
    absl::StatusOr<PushNode> node = TakePushNode(reader);
    CAIRN_RETURN_IF_ERROR(CheckStructure(reader));
    position_ += reader.position();
    if (node.ok()) message_.nodes.push_back(*std::move(node));
  }
  if (body.size() - position_ < user_state_bytes_) {
    return absl::OutOfRangeError("the user state is cut short");
  }
  message_.user_state = body.substr(position_, static_cast<size_t>(user_state_bytes_));
  return absl::OkStatus();
}

}  // namespace cairn::gossip
