#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "gossip/wire/limits.h"
#include "gossip/wire/message_codec.h"
#include "gossip/wire/msgpack.h"
#include "gossip/wire/serf_messages.h"

namespace cairn::gossip {
namespace {

// Events in a push/pull: 512 times, each with as many as happened at once.
constexpr size_t kMaxPushPullEvents = 8192;
// A key response lists a keyring.
constexpr size_t kMaxListedKeys = 256;

absl::Status TooMany(std::string_view what, size_t limit) {
  return absl::ResourceExhaustedError(base::StrCat(what, " are over the limit of ", limit));
}

// An event's or a query's: it is shown to people.
absl::Status CheckTitle(std::string_view name) {
  if (name.size() > kMaxPeerPayloadBytes) return TooMany("a name's bytes", kMaxPeerPayloadBytes);
  if (HasControlCharacters(name)) {
    return absl::InvalidArgumentError("a name with control characters");
  }
  return absl::OkStatus();
}
absl::Status CheckPayload(std::string_view payload) {
  if (payload.size() <= kMaxPeerPayloadBytes) return absl::OkStatus();
  return TooMany("a payload's bytes", kMaxPeerPayloadBytes);
}

// An array: `take` takes one value and returns whether that went well.
template <typename TakeValue>
bool TakeEach(MsgpackReader& reader, size_t limit, TakeValue take) {
  uint32_t count = 0;
  if (!reader.TakeArray(count)) return false;
  if (count > limit) return reader.Fail("an array over its limit");
  for (; count > 0; --count) {
    if (!take()) return reader.Fail("an element of the wrong type");
  }
  return true;
}
bool TakeStrings(MsgpackReader& reader, size_t limit, std::vector<std::string>& strings) {
  return TakeEach(reader, limit, [&] { return reader.Take(strings.emplace_back()); });
}

absl::StatusOr<LeaveIntent> DecodeLeave(MsgpackReader& reader) {
  LeaveIntent message;
  reader.TakeStruct([&](std::string_view name) {
    if (name == "LTime") return reader.Take(message.time);
    if (name == "Node") return reader.Take(message.node);
    if (name == "Prune") return reader.Take(message.prune);
    return reader.Skip();
  });
  CAIRN_RETURN_IF_ERROR(reader.status());
  CAIRN_RETURN_IF_ERROR(CheckName(message.node));
  return message;
}

absl::StatusOr<JoinIntent> DecodeJoin(MsgpackReader& reader) {
  JoinIntent message;
  reader.TakeStruct([&](std::string_view name) {
    if (name == "LTime") return reader.Take(message.time);
    if (name == "Node") return reader.Take(message.node);
    return reader.Skip();
  });
  CAIRN_RETURN_IF_ERROR(reader.status());
  CAIRN_RETURN_IF_ERROR(CheckName(message.node));
  return message;
}

absl::StatusOr<UserEvent> DecodeUserEvent(MsgpackReader& reader) {
  UserEvent message;
  message.coalesce = false;
  reader.TakeStruct([&](std::string_view name) {
    if (name == "LTime") return reader.Take(message.time);
    if (name == "Name") return reader.Take(message.name);
    if (name == "Payload") return reader.Take(message.payload);
    if (name == "CC") return reader.Take(message.coalesce);
    return reader.Skip();
  });
  CAIRN_RETURN_IF_ERROR(reader.status());
  CAIRN_RETURN_IF_ERROR(CheckTitle(message.name));
  CAIRN_RETURN_IF_ERROR(CheckPayload(message.payload));
  return message;
}

absl::StatusOr<QueryFilter> DecodeFilter(std::string_view bytes) {
  if (bytes.empty()) return absl::InvalidArgumentError("an empty query filter");
  MsgpackReader reader(bytes.substr(1));
  if (bytes[0] == 0) {
    NodeFilter filter;
    TakeStrings(reader, kMaxFilterNames, filter.names);
    CAIRN_RETURN_IF_ERROR(reader.status());
    return filter;
  }
  if (bytes[0] != 1) return absl::InvalidArgumentError("a query filter of an unknown type");
  TagFilter filter;
  reader.TakeStruct([&](std::string_view name) {
    if (name == "Tag") return reader.Take(filter.tag);
    if (name == "Expr") return reader.Take(filter.expression);
    return reader.Skip();
  });
  CAIRN_RETURN_IF_ERROR(reader.status());
  if (filter.expression.size() > kMaxFilterExpressionBytes) {
    return TooMany("a filter expression's bytes", kMaxFilterExpressionBytes);
  }
  return filter;
}

absl::StatusOr<Query> DecodeQuery(MsgpackReader& reader) {
  Query message;
  std::string_view ip;
  uint16_t port = 0;
  std::vector<std::string_view> filters;
  reader.TakeStruct([&](std::string_view name) {
    if (name == "LTime") return reader.Take(message.time);
    if (name == "ID") return reader.Take(message.id);
    if (name == "Addr") return reader.Take(ip);
    if (name == "Port") return reader.Take(port);
    if (name == "SourceNode") return reader.Take(message.source_node);
    if (name == "Filters") {
      return TakeEach(reader, kMaxQueryFilters,
                      [&] { return reader.Take(filters.emplace_back()); });
    }
    if (name == "Flags") return reader.Take(message.flags);
    if (name == "RelayFactor") return reader.Take(message.relay_factor);
    if (name == "Timeout") return reader.Take(message.timeout_ns);
    if (name == "Name") return reader.Take(message.name);
    if (name == "Payload") return reader.Take(message.payload);
    return reader.Skip();
  });
  CAIRN_RETURN_IF_ERROR(reader.status());
  CAIRN_RETURN_IF_ERROR(CheckTitle(message.name));
  CAIRN_RETURN_IF_ERROR(CheckPayload(message.payload));
  // Serf before 0.9 does not say who asks.
  if (!message.source_node.empty()) CAIRN_RETURN_IF_ERROR(CheckName(message.source_node));
  CAIRN_ASSIGN_OR_RETURN(message.source, Address::FromBytes(ip, port));
  for (const std::string_view filter : filters) {
    CAIRN_ASSIGN_OR_RETURN(message.filters.emplace_back(), DecodeFilter(filter));
  }
  return message;
}

absl::StatusOr<QueryResponse> DecodeQueryResponse(MsgpackReader& reader) {
  QueryResponse message;
  reader.TakeStruct([&](std::string_view name) {
    if (name == "LTime") return reader.Take(message.time);
    if (name == "ID") return reader.Take(message.id);
    if (name == "From") return reader.Take(message.from);
    if (name == "Flags") return reader.Take(message.flags);
    if (name == "Payload") return reader.Take(message.payload);
    return reader.Skip();
  });
  CAIRN_RETURN_IF_ERROR(reader.status());
  CAIRN_RETURN_IF_ERROR(CheckName(message.from));
  CAIRN_RETURN_IF_ERROR(CheckPayload(message.payload));
  return message;
}

absl::StatusOr<Relay> DecodeRelay(MsgpackReader& reader) {
  Relay message;
  std::string_view ip;
  uint16_t port = 0;
  reader.TakeStruct([&](std::string_view name) {
    if (name == "DestName") return reader.Take(message.destination_node);
    if (name != "DestAddr") return reader.Skip();
    return reader.TakeStruct([&](std::string_view part) {
      if (part == "IP") return reader.Take(ip);
      if (part == "Port") return reader.Take(port);
      return reader.Skip();
    });
  });
  CAIRN_RETURN_IF_ERROR(reader.status());
  CAIRN_ASSIGN_OR_RETURN(message.destination, Address::FromBytes(ip, port));
  if (!message.destination_node.empty()) {
    CAIRN_RETURN_IF_ERROR(CheckName(message.destination_node));
  }
  message.message = reader.rest();
  return message;
}

absl::StatusOr<KeyRequest> DecodeKeyRequest(MsgpackReader& reader) {
  KeyRequest message;
  reader.TakeStruct([&](std::string_view name) {
    return name == "Key" ? reader.Take(message.key) : reader.Skip();
  });
  CAIRN_RETURN_IF_ERROR(reader.status());
  return message;
}

absl::StatusOr<KeyResponse> DecodeKeyResponse(MsgpackReader& reader) {
  KeyResponse message;
  reader.TakeStruct([&](std::string_view name) {
    if (name == "Result") return reader.Take(message.ok);
    if (name == "Message") return reader.Take(message.message);
    if (name == "Keys") return TakeStrings(reader, kMaxListedKeys, message.keys);
    if (name == "PrimaryKey") return reader.Take(message.primary_key);
    return reader.Skip();
  });
  CAIRN_RETURN_IF_ERROR(reader.status());
  return message;
}

absl::StatusOr<ConflictResponse> DecodeConflictResponse(MsgpackReader& reader) {
  ConflictResponse message;
  std::string_view ip;
  uint16_t port = 0;
  reader.TakeStruct([&](std::string_view name) {
    if (name == "Name") return reader.Take(message.name);
    if (name == "Addr") return reader.Take(ip);
    if (name == "Port") return reader.Take(port);
    if (name == "Status") return reader.Take(message.status);
    if (name != "Tags") return reader.Skip();
    uint32_t count = 0;
    if (!reader.TakeMap(count)) return false;
    for (; count > 0; --count) {
      std::string tag;
      if (!reader.Take(tag) || !reader.Take(message.tags[std::move(tag)])) return false;
    }
    return true;
  });
  CAIRN_RETURN_IF_ERROR(reader.status());
  CAIRN_ASSIGN_OR_RETURN(message.address, Address::FromBytes(ip, port));
  return message;
}

// One time's events; Go's ring has nil where there are none.
bool TakeEvents(MsgpackReader& reader, std::vector<UserEvent>& events) {
  LamportTime time = 0;
  const size_t first = events.size();
  const bool taken = reader.TakeStruct([&](std::string_view name) {
    if (name == "LTime") return reader.Take(time);
    if (name != "Events") return reader.Skip();
    return TakeEach(reader, kMaxPushPullEvents - first, [&] {
      UserEvent& event = events.emplace_back();
      return reader.TakeStruct([&](std::string_view part) {
        if (part == "Name") return reader.Take(event.name);
        if (part == "Payload") return reader.Take(event.payload);
        return reader.Skip();
      });
    });
  });
  if (events.size() > kMaxPushPullEvents) return reader.Fail("too many events");
  for (size_t i = first; i < events.size(); ++i) {
    events[i].time = time;
    events[i].coalesce = false;
  }
  return taken;
}

absl::StatusOr<SerfPushPull> DecodePushPull(MsgpackReader& reader) {
  SerfPushPull message;
  reader.TakeStruct([&](std::string_view name) {
    if (name == "LTime") return reader.Take(message.time);
    if (name == "EventLTime") return reader.Take(message.event_time);
    if (name == "QueryLTime") return reader.Take(message.query_time);
    if (name == "LeftMembers") return TakeStrings(reader, kMaxPushPullNodes, message.left_members);
    if (name == "Events") {
      return TakeEach(reader, kMaxPushPullEvents,
                      [&] { return TakeEvents(reader, message.events); });
    }
    if (name != "StatusLTimes") return reader.Skip();
    uint32_t count = 0;
    if (!reader.TakeMap(count)) return false;
    if (count > kMaxPushPullNodes) return reader.Fail("a map over its limit");
    for (; count > 0; --count) {
      std::string member;
      if (!reader.Take(member) || !reader.Take(message.status_times[std::move(member)])) {
        return false;
      }
    }
    return true;
  });
  CAIRN_RETURN_IF_ERROR(reader.status());
  std::erase_if(message.status_times, [](const auto& m) { return !CheckName(m.first).ok(); });
  std::erase_if(message.left_members, [](const auto& name) { return !CheckName(name).ok(); });
  std::erase_if(message.events, [](const UserEvent& event) {
    return !CheckTitle(event.name).ok() || !CheckPayload(event.payload).ok();
  });
  return message;
}

template <typename Message>
absl::StatusOr<SerfMessage> Widen(absl::StatusOr<Message> message) {
  CAIRN_RETURN_IF_ERROR(message.status());
  return *std::move(message);
}

}  // namespace

absl::StatusOr<SerfMessage> DecodeSerf(std::string_view message) {
  if (message.empty()) return absl::InvalidArgumentError("an empty Serf message");
  MsgpackReader reader(message.substr(1));
  switch (static_cast<SerfType>(message[0])) {
    case SerfType::kLeave:
      return Widen(DecodeLeave(reader));
    case SerfType::kJoin:
      return Widen(DecodeJoin(reader));
    case SerfType::kPushPull:
      return Widen(DecodePushPull(reader));
    case SerfType::kUserEvent:
      return Widen(DecodeUserEvent(reader));
    case SerfType::kQuery:
      return Widen(DecodeQuery(reader));
    case SerfType::kQueryResponse:
      return Widen(DecodeQueryResponse(reader));
    case SerfType::kConflictResponse:
      return Widen(DecodeConflictResponse(reader));
    case SerfType::kKeyRequest:
      return Widen(DecodeKeyRequest(reader));
    case SerfType::kKeyResponse:
      return Widen(DecodeKeyResponse(reader));
    case SerfType::kRelay:
      return Widen(DecodeRelay(reader));
  }
  return absl::InvalidArgumentError(base::StrCat(
      "Serf message type ", static_cast<int>(static_cast<uint8_t>(message[0])), " is unknown"));
}

}  // namespace cairn::gossip
