#include "gossip/wire/message_codec.h"

#include <algorithm>
#include <optional>

#include "base/status_macros.h"
#include "base/strings.h"
#include "gossip/wire/limits.h"

namespace cairn::gossip {
namespace {

// Fields are written in alphabetical order, as Go writes them.

std::string Start(MessageType type) { return std::string(1, static_cast<char>(type)); }

void PutVersions(const Versions& versions, MsgpackWriter& writer) {
  const char bytes[] = {
      static_cast<char>(versions.protocol_min),     static_cast<char>(versions.protocol_max),
      static_cast<char>(versions.protocol_current), static_cast<char>(versions.delegate_min),
      static_cast<char>(versions.delegate_max),     static_cast<char>(versions.delegate_current)};
  writer.Raw({bytes, sizeof bytes});
}

// Of the oldest nodes it is shorter or missing: what is missing is 0.
bool TakeVersions(MsgpackReader& reader, Versions& versions) {
  std::string_view bytes;
  if (!reader.Take(bytes)) return false;
  const auto at = [bytes](size_t i) {
    return i < bytes.size() ? static_cast<uint8_t>(bytes[i]) : uint8_t{0};
  };
  versions = {at(0), at(1), at(2), at(3), at(4), at(5)};
  return true;
}
constexpr Versions kNoVersions = {0, 0, 0, 0, 0, 0};

// An address comes as two fields in any order.
struct AddressFields {
  std::string_view ip;
  uint16_t port = 0;

  absl::StatusOr<Address> Join() const { return Address::FromBytes(ip, port); }
};

// Where to answer, of pings; left out when there is none.
int SourceFields(const Address& source, const std::string& node) {
  return (source.empty() ? 0 : 2) + (node.empty() ? 0 : 1);
}
void PutSource(const Address& source, const std::string& node, MsgpackWriter& writer) {
  if (!source.empty()) writer.Raw("SourceAddr").Raw(source.ip());
  if (!node.empty()) writer.Raw("SourceNode").Raw(node);
  if (!source.empty()) writer.Raw("SourcePort").Uint(source.port());
}

// What a ping and an indirect ping have in common, of the fields of a map: whether it could be
// read; nullopt when `name` is none of it.
template <typename Message>
std::optional<bool> TakePingField(std::string_view name, MsgpackReader& reader,
                                  AddressFields& source, Message& message) {
  if (name == "SeqNo") return reader.Take(message.sequence);
  if (name == "Node") return reader.Take(message.node);
  if (name == "SourceAddr") return reader.Take(source.ip);
  if (name == "SourcePort") return reader.Take(source.port);
  if (name == "SourceNode") return reader.Take(message.source_node);
  return std::nullopt;
}
template <typename Message>
absl::Status FinishPing(const MsgpackReader& reader, const AddressFields& source,
                        Message& message) {
  CAIRN_RETURN_IF_ERROR(reader.status());
  if (!message.node.empty()) CAIRN_RETURN_IF_ERROR(CheckName(message.node));
  if (!message.source_node.empty()) CAIRN_RETURN_IF_ERROR(CheckName(message.source_node));
  CAIRN_ASSIGN_OR_RETURN(message.source, source.Join());
  return absl::OkStatus();
}

template <typename Accusation>
std::string EncodeAccusation(MessageType type, const Accusation& message) {
  MsgpackWriter writer;
  writer.Map(3).Raw("From").Raw(message.from);
  writer.Raw("Incarnation").Uint(message.incarnation).Raw("Node").Raw(message.node);
  return Start(type) + writer.bytes();
}

template <typename Accusation>
absl::StatusOr<Accusation> DecodeAccusation(std::string_view body) {
  MsgpackReader reader(body);
  Accusation message;
  reader.TakeStruct([&](std::string_view name) {
    if (name == "Incarnation") return reader.Take(message.incarnation);
    if (name == "Node") return reader.Take(message.node);
    if (name == "From") return reader.Take(message.from);
    return reader.Skip();
  });
  CAIRN_RETURN_IF_ERROR(reader.status());
  CAIRN_RETURN_IF_ERROR(CheckName(message.node));
  // The oldest nodes do not say who accuses.
  if (!message.from.empty()) CAIRN_RETURN_IF_ERROR(CheckName(message.from));
  return message;
}

}  // namespace

std::string_view ToString(NodeState state) {
  switch (state) {
    case NodeState::kAlive:
      return "alive";
    case NodeState::kSuspect:
      return "suspect";
    case NodeState::kDead:
      return "dead";
    case NodeState::kLeft:
      return "left";
  }
  return "unknown";
}

bool HasControlCharacters(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<uint8_t>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

absl::Status CheckName(std::string_view name) {
  if (name.empty()) return absl::InvalidArgumentError("a node without a name");
  if (name.size() > kMaxNameBytes) {
    return absl::InvalidArgumentError(
        base::StrCat("a node name of ", name.size(), " bytes; the limit is ", kMaxNameBytes));
  }
  if (HasControlCharacters(name)) {
    return absl::InvalidArgumentError("a node name with control characters");
  }
  return absl::OkStatus();
}

std::string Encode(const Ping& message) {
  MsgpackWriter writer;
  writer.Map(2 + SourceFields(message.source, message.source_node));
  writer.Raw("Node").Raw(message.node).Raw("SeqNo").Uint(message.sequence);
  PutSource(message.source, message.source_node, writer);
  return Start(MessageType::kPing) + writer.bytes();
}

absl::StatusOr<Ping> TakePing(MsgpackReader& reader) {
  Ping message;
  AddressFields source;
  reader.TakeStruct([&](std::string_view name) {
    const auto taken = TakePingField(name, reader, source, message);
    return taken ? *taken : reader.Skip();
  });
  CAIRN_RETURN_IF_ERROR(FinishPing(reader, source, message));
  return message;
}

absl::StatusOr<Ping> DecodePing(std::string_view body) {
  MsgpackReader reader(body);
  return TakePing(reader);
}

std::string Encode(const IndirectPing& message) {
  MsgpackWriter writer;
  writer.Map(5 + SourceFields(message.source, message.source_node));
  writer.Raw("Nack").Bool(message.wants_nack).Raw("Node").Raw(message.node);
  writer.Raw("Port").Uint(message.target.port()).Raw("SeqNo").Uint(message.sequence);
  PutSource(message.source, message.source_node, writer);
  writer.Raw("Target").Raw(message.target.ip());
  return Start(MessageType::kIndirectPing) + writer.bytes();
}

absl::StatusOr<IndirectPing> DecodeIndirectPing(std::string_view body) {
  MsgpackReader reader(body);
  IndirectPing message;
  AddressFields source;
  AddressFields target;
  reader.TakeStruct([&](std::string_view name) {
    if (name == "Target") return reader.Take(target.ip);
    if (name == "Port") return reader.Take(target.port);
    if (name == "Nack") return reader.Take(message.wants_nack);
    const auto taken = TakePingField(name, reader, source, message);
    return taken ? *taken : reader.Skip();
  });
  CAIRN_RETURN_IF_ERROR(FinishPing(reader, source, message));
  CAIRN_ASSIGN_OR_RETURN(message.target, target.Join());
  return message;
}

std::string Encode(const Ack& message) {
  MsgpackWriter writer;
  writer.Map(2).Raw("Payload");
  message.payload.empty() ? writer.Nil() : writer.Raw(message.payload);
  writer.Raw("SeqNo").Uint(message.sequence);
  return Start(MessageType::kAck) + writer.bytes();
}

absl::StatusOr<Ack> TakeAck(MsgpackReader& reader) {
  Ack message;
  reader.TakeStruct([&](std::string_view name) {
    if (name == "SeqNo") return reader.Take(message.sequence);
    if (name == "Payload") return reader.Take(message.payload);
    return reader.Skip();
  });
  CAIRN_RETURN_IF_ERROR(reader.status());
  return message;
}

absl::StatusOr<Ack> DecodeAck(std::string_view body) {
  MsgpackReader reader(body);
  return TakeAck(reader);
}

std::string Encode(const Nack& message) {
  MsgpackWriter writer;
  writer.Map(1).Raw("SeqNo").Uint(message.sequence);
  return Start(MessageType::kNack) + writer.bytes();
}

absl::StatusOr<Nack> DecodeNack(std::string_view body) {
  MsgpackReader reader(body);
  Nack message;
  reader.TakeStruct([&](std::string_view name) {
    return name == "SeqNo" ? reader.Take(message.sequence) : reader.Skip();
  });
  CAIRN_RETURN_IF_ERROR(reader.status());
  return message;
}

std::string Encode(const Suspect& message) {
  return EncodeAccusation(MessageType::kSuspect, message);
}
std::string Encode(const Dead& message) { return EncodeAccusation(MessageType::kDead, message); }
absl::StatusOr<Suspect> DecodeSuspect(std::string_view body) {
  return DecodeAccusation<Suspect>(body);
}
absl::StatusOr<Dead> DecodeDead(std::string_view body) { return DecodeAccusation<Dead>(body); }

std::string Encode(const Alive& message) {
  MsgpackWriter writer;
  writer.Map(6).Raw("Addr").Raw(message.address.ip());
  writer.Raw("Incarnation").Uint(message.incarnation);
  writer.Raw("Meta").Raw(message.meta).Raw("Node").Raw(message.node);
  writer.Raw("Port").Uint(message.address.port()).Raw("Vsn");
  PutVersions(message.versions, writer);
  return Start(MessageType::kAlive) + writer.bytes();
}

absl::StatusOr<Alive> DecodeAlive(std::string_view body) {
  MsgpackReader reader(body);
  Alive message = {.versions = kNoVersions};
  AddressFields address;
  reader.TakeStruct([&](std::string_view name) {
    if (name == "Incarnation") return reader.Take(message.incarnation);
    if (name == "Node") return reader.Take(message.node);
    if (name == "Addr") return reader.Take(address.ip);
    if (name == "Port") return reader.Take(address.port);
    if (name == "Meta") return reader.Take(message.meta);
    if (name == "Vsn") return TakeVersions(reader, message.versions);
    return reader.Skip();
  });
  CAIRN_RETURN_IF_ERROR(reader.status());
  CAIRN_RETURN_IF_ERROR(CheckName(message.node));
  if (message.meta.size() > kMaxMetaBytes) return absl::InvalidArgumentError("meta is too long");
  CAIRN_ASSIGN_OR_RETURN(message.address, address.Join());
  return message;
}

std::string Encode(const ErrorMessage& message) {
  MsgpackWriter writer;
  writer.Map(1).Raw("Error").Raw(message.text);
  return Start(MessageType::kError) + writer.bytes();
}

absl::StatusOr<ErrorMessage> TakeError(MsgpackReader& reader) {
  ErrorMessage message;
  std::string_view text;
  reader.TakeStruct(
      [&](std::string_view name) { return name == "Error" ? reader.Take(text) : reader.Skip(); });
  CAIRN_RETURN_IF_ERROR(reader.status());
  message.text = text.substr(0, kMaxErrorTextBytes);
  // It is somebody else's text, on its way to our log.
  std::replace_if(
      message.text.begin(), message.text.end(),
      [](char c) {
        return HasControlCharacters({&c, 1});
      },
      '?');
  return message;
}

void PutPushNode(const PushNode& node, MsgpackWriter& writer) {
  writer.Map(7).Raw("Addr").Raw(node.address.ip()).Raw("Incarnation").Uint(node.incarnation);
  writer.Raw("Meta").Raw(node.meta).Raw("Name").Raw(node.name);
  writer.Raw("Port").Uint(node.address.port());
  writer.Raw("State").Uint(static_cast<uint8_t>(node.state)).Raw("Vsn");
  PutVersions(node.versions, writer);
}

absl::StatusOr<PushNode> TakePushNode(MsgpackReader& reader) {
  PushNode node = {.versions = kNoVersions};
  AddressFields address;
  uint8_t state = 0;
  reader.TakeStruct([&](std::string_view name) {
    if (name == "Name") return reader.Take(node.name);
    if (name == "Addr") return reader.Take(address.ip);
    if (name == "Port") return reader.Take(address.port);
    if (name == "Meta") return reader.Take(node.meta);
    if (name == "Incarnation") return reader.Take(node.incarnation);
    if (name == "State") return reader.Take(state);
    if (name == "Vsn") return TakeVersions(reader, node.versions);
    return reader.Skip();
  });
  CAIRN_RETURN_IF_ERROR(reader.status());
  CAIRN_RETURN_IF_ERROR(CheckName(node.name));
  if (node.meta.size() > kMaxMetaBytes) return absl::InvalidArgumentError("meta is too long");
  if (state > static_cast<uint8_t>(NodeState::kLeft)) {
    return absl::InvalidArgumentError(base::StrCat("node state ", state, " is unknown"));
  }
  node.state = static_cast<NodeState>(state);
  CAIRN_ASSIGN_OR_RETURN(node.address, address.Join());
  return node;
}

}  // namespace cairn::gossip
