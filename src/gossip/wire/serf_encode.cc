#include <utility>

#include "gossip/wire/limits.h"
#include "gossip/wire/msgpack.h"
#include "gossip/wire/serf_messages.h"

namespace cairn::gossip {
namespace {

// Fields are written in alphabetical order, as Go writes them.

std::string Finish(SerfType type, const MsgpackWriter& writer) {
  return static_cast<char>(type) + writer.bytes();
}

uint32_t Count(size_t size) { return static_cast<uint32_t>(size); }

// Go has nil for no bytes.
void PutBytes(std::string_view bytes, MsgpackWriter& writer) {
  bytes.empty() ? writer.Nil() : writer.Raw(bytes);
}

std::string EncodeFilter(const QueryFilter& filter) {
  MsgpackWriter writer;
  if (const auto* nodes = std::get_if<NodeFilter>(&filter)) {
    writer.Array(Count(nodes->names.size()));
    for (const std::string& name : nodes->names) writer.Raw(name);
    return '\0' + writer.bytes();
  }
  const auto& tag = std::get<TagFilter>(filter);
  writer.Map(2).Raw("Expr").Raw(tag.expression).Raw("Tag").Raw(tag.tag);
  return '\1' + writer.bytes();
}

}  // namespace

std::string Encode(const LeaveIntent& message) {
  MsgpackWriter writer;
  writer.Map(3).Raw("LTime").Uint(message.time).Raw("Node").Raw(message.node);
  writer.Raw("Prune").Bool(message.prune);
  return Finish(SerfType::kLeave, writer);
}

std::string Encode(const JoinIntent& message) {
  MsgpackWriter writer;
  writer.Map(2).Raw("LTime").Uint(message.time).Raw("Node").Raw(message.node);
  return Finish(SerfType::kJoin, writer);
}

std::string Encode(const UserEvent& message) {
  MsgpackWriter writer;
  writer.Map(4).Raw("CC").Bool(message.coalesce).Raw("LTime").Uint(message.time);
  writer.Raw("Name").Raw(message.name).Raw("Payload");
  PutBytes(message.payload, writer);
  return Finish(SerfType::kUserEvent, writer);
}

std::string Encode(const Query& message) {
  MsgpackWriter writer;
  writer.Map(11).Raw("Addr").Raw(message.source.ip()).Raw("Filters");
  if (message.filters.empty()) {
    writer.Nil();
  } else {
    writer.Array(Count(message.filters.size()));
    for (const QueryFilter& filter : message.filters) writer.Raw(EncodeFilter(filter));
  }
  writer.Raw("Flags").Uint(message.flags).Raw("ID").Uint(message.id);
  writer.Raw("LTime").Uint(message.time).Raw("Name").Raw(message.name).Raw("Payload");
  PutBytes(message.payload, writer);
  writer.Raw("Port").Uint(message.source.port()).Raw("RelayFactor").Uint(message.relay_factor);
  writer.Raw("SourceNode").Raw(message.source_node).Raw("Timeout").Int(message.timeout_ns);
  return Finish(SerfType::kQuery, writer);
}

std::string Encode(const QueryResponse& message) {
  MsgpackWriter writer;
  writer.Map(5).Raw("Flags").Uint(message.flags).Raw("From").Raw(message.from);
  writer.Raw("ID").Uint(message.id).Raw("LTime").Uint(message.time).Raw("Payload");
  PutBytes(message.payload, writer);
  return Finish(SerfType::kQueryResponse, writer);
}

std::string Encode(const Relay& message) {
  MsgpackWriter writer;
  writer.Map(2).Raw("DestAddr").Map(3).Raw("IP").Raw(message.destination.ip());
  writer.Raw("Port").Uint(message.destination.port()).Raw("Zone").Raw("");
  writer.Raw("DestName").Raw(message.destination_node);
  return Finish(SerfType::kRelay, writer) + message.message;
}

std::string Encode(const KeyRequest& message) {
  MsgpackWriter writer;
  writer.Map(1).Raw("Key");
  PutBytes(message.key, writer);
  return Finish(SerfType::kKeyRequest, writer);
}

std::string Encode(const KeyResponse& message) {
  MsgpackWriter writer;
  writer.Map(4).Raw("Keys").Array(Count(message.keys.size()));
  for (const std::string& key : message.keys) writer.Raw(key);
  writer.Raw("Message").Raw(message.message).Raw("PrimaryKey").Raw(message.primary_key);
  writer.Raw("Result").Bool(message.ok);
  return Finish(SerfType::kKeyResponse, writer);
}

std::string Encode(const ConflictResponse& message) {
  MsgpackWriter writer;
  writer.Map(5).Raw("Addr").Raw(message.address.ip()).Raw("Name").Raw(message.name);
  writer.Raw("Port").Uint(message.address.port()).Raw("Status").Uint(message.status);
  writer.Raw("Tags").Map(Count(message.tags.size()));
  for (const auto& [name, value] : message.tags) writer.Raw(name).Raw(value);
  return Finish(SerfType::kConflictResponse, writer);
}

std::string Encode(const SerfPushPull& message) {
  MsgpackWriter writer;
  writer.Map(6).Raw("EventLTime").Uint(message.event_time).Raw("Events");
  // Events of one time go together.
  std::map<LamportTime, std::vector<const UserEvent*>> by_time;
  for (const UserEvent& event : message.events) by_time[event.time].push_back(&event);
  writer.Array(Count(by_time.size()));
  for (const auto& [time, events] : by_time) {
    writer.Map(2).Raw("Events").Array(Count(events.size()));
    for (const UserEvent* event : events) {
      writer.Map(2).Raw("Name").Raw(event->name).Raw("Payload");
      PutBytes(event->payload, writer);
    }
    writer.Raw("LTime").Uint(time);
  }
  writer.Raw("LTime").Uint(message.time);
  writer.Raw("LeftMembers").Array(Count(message.left_members.size()));
  for (const std::string& name : message.left_members) writer.Raw(name);
  writer.Raw("QueryLTime").Uint(message.query_time);
  writer.Raw("StatusLTimes").Map(Count(message.status_times.size()));
  for (const auto& [name, time] : message.status_times) writer.Raw(name).Uint(time);
  return Finish(SerfType::kPushPull, writer);
}

}  // namespace cairn::gossip
