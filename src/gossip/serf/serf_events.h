// What the gossip core tells the program: who came and went, what was said to all, what is asked.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "gossip/wire/address.h"
#include "gossip/wire/messages.h"
#include "gossip/wire/serf_messages.h"
#include "gossip/wire/tags.h"

namespace cairn::gossip {

// Serf's numbers.
enum class MemberStatus : uint8_t { kNone = 0, kAlive = 1, kLeaving = 2, kLeft = 3, kFailed = 4 };

std::string_view ToString(MemberStatus status);

struct SerfMember {
  std::string name;
  Address address;
  Tags tags;
  MemberStatus status = MemberStatus::kNone;
  Versions versions;
  LamportTime status_time = 0;  // of the last intent that counted
  int64_t gone_ns = 0;          // when it left or failed
};

enum class MemberChange : uint8_t { kJoined, kLeft, kFailed, kUpdated, kReaped };

std::string_view ToString(MemberChange change);

struct MemberEvent {
  MemberChange change = MemberChange::kJoined;
  SerfMember member;
};

// A question to this node among others. Serf::Respond(handle, …) answers it, once, in time.
struct IncomingQuery {
  uint64_t handle = 0;
  std::string name;
  std::string payload;
  std::string source_node;
  int64_t deadline_ns = 0;
};

// Keys were installed, used or removed: a keyring file is out of date.
struct KeyringChanged {};

// Another node has this node's name, and most of the others mean that one: this one should end.
struct NameLost {
  Address other;
};

using SerfEvent = std::variant<MemberEvent, UserEvent, IncomingQuery, KeyringChanged, NameLost>;

}  // namespace cairn::gossip
