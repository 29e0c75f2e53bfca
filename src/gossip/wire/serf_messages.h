// What Serf's nodes say to each other, inside memberlist's user messages and push/pull states, as
// values and as bytes: a type, then a MessagePack map. docs/formats/gossip.md has the bytes.
//
// Decoding takes what Go's decoder takes and refuses names, counts and sizes over the limits in
// limits.h. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "gossip/wire/address.h"

namespace cairn::gossip {

// Serf's logical clocks (Lamport, CACM 21(7), 1978): one for members, one for events, one for
// queries.
using LamportTime = uint64_t;

// The first byte of a message.
enum class SerfType : uint8_t {
  kLeave = 0,
  kJoin = 1,
  kPushPull = 2,
  kUserEvent = 3,
  kQuery = 4,
  kQueryResponse = 5,
  kConflictResponse = 6,
  kKeyRequest = 7,
  kKeyResponse = 8,
  kRelay = 9,
};

// A node means to leave; with `prune` it is to be forgotten at once.
struct LeaveIntent {
  LamportTime time = 0;
  std::string node;
  bool prune = false;
  friend bool operator==(const LeaveIntent&, const LeaveIntent&) = default;
};

struct JoinIntent {
  LamportTime time = 0;
  std::string node;
  friend bool operator==(const JoinIntent&, const JoinIntent&) = default;
};

struct UserEvent {
  LamportTime time = 0;
  std::string name;
  std::string payload;
  bool coalesce = true;  // of events of one name in quick succession the last one is enough
  friend bool operator==(const UserEvent&, const UserEvent&) = default;
};

// Answer only if you are one of these nodes.
struct NodeFilter {
  std::vector<std::string> names;
  friend bool operator==(const NodeFilter&, const NodeFilter&) = default;
};
// Answer only if your tag matches (RE2, anywhere in the value).
struct TagFilter {
  std::string tag;
  std::string expression;
  friend bool operator==(const TagFilter&, const TagFilter&) = default;
};
using QueryFilter = std::variant<NodeFilter, TagFilter>;

// Bits of Query::flags and of QueryResponse::flags.
inline constexpr uint32_t kQueryFlagAck = 1;          // wanted; this is one
inline constexpr uint32_t kQueryFlagNoBroadcast = 2;  // do not pass it on

struct Query {
  LamportTime time = 0;
  uint32_t id = 0;
  Address source;  // where the responses go
  std::string source_node;
  std::vector<QueryFilter> filters;  // all of them must fit
  uint32_t flags = 0;
  uint8_t relay_factor = 0;  // responses also go by way of so many others
  int64_t timeout_ns = 0;
  std::string name;
  std::string payload;
  friend bool operator==(const Query&, const Query&) = default;
};

struct QueryResponse {
  LamportTime time = 0;
  uint32_t id = 0;
  std::string from;
  uint32_t flags = 0;
  std::string payload;
  friend bool operator==(const QueryResponse&, const QueryResponse&) = default;
};

// Pass `message` (a Serf message with its type) on to a node.
struct Relay {
  Address destination;
  std::string destination_node;
  std::string message;
  friend bool operator==(const Relay&, const Relay&) = default;
};

// Payloads of internal queries, type included.
struct KeyRequest {
  std::string key;  // "" for a list of them
  friend bool operator==(const KeyRequest&, const KeyRequest&) = default;
};
struct KeyResponse {
  bool ok = false;
  std::string message;            // what went wrong
  std::vector<std::string> keys;  // base64
  std::string primary_key;        // base64; of Serf 0.10 and later
  friend bool operator==(const KeyResponse&, const KeyResponse&) = default;
};
// The member that a node knows by a name.
struct ConflictResponse {
  std::string name;
  Address address;
  std::map<std::string, std::string> tags;
  uint8_t status = 0;
  friend bool operator==(const ConflictResponse&, const ConflictResponse&) = default;
};

// Everything one side knows, as the user state of a push/pull.
struct SerfPushPull {
  LamportTime time = 0;
  std::map<std::string, LamportTime> status_times;  // of every member
  std::vector<std::string> left_members;
  LamportTime event_time = 0;
  std::vector<UserEvent> events;  // `coalesce` is not carried
  LamportTime query_time = 0;
  friend bool operator==(const SerfPushPull&, const SerfPushPull&) = default;
};

// With the type in front.
std::string Encode(const LeaveIntent& message);
std::string Encode(const JoinIntent& message);
std::string Encode(const UserEvent& message);
std::string Encode(const Query& message);
std::string Encode(const QueryResponse& message);
std::string Encode(const Relay& message);
std::string Encode(const KeyRequest& message);
std::string Encode(const KeyResponse& message);
std::string Encode(const ConflictResponse& message);
std::string Encode(const SerfPushPull& message);

using SerfMessage = std::variant<LeaveIntent, JoinIntent, UserEvent, Query, QueryResponse, Relay,
                                 KeyRequest, KeyResponse, ConflictResponse, SerfPushPull>;

// Of whichever type the first byte says. Errors: INVALID_ARGUMENT, OUT_OF_RANGE when the bytes end
// too early, RESOURCE_EXHAUSTED for what is over a limit.
absl::StatusOr<SerfMessage> DecodeSerf(std::string_view message);

}  // namespace cairn::gossip
