// What memberlist's nodes say to each other, as values. docs/formats/gossip.md has the bytes.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gossip/wire/address.h"

namespace cairn::gossip {

// The first byte of a message.
enum class MessageType : uint8_t {
  kPing = 0,
  kIndirectPing = 1,
  kAck = 2,
  kSuspect = 3,
  kAlive = 4,
  kDead = 5,
  kPushPull = 6,
  kCompound = 7,
  kUser = 8,
  kCompressed = 9,
  kEncrypted = 10,  // in a stream only; a sealed packet has no type
  kNack = 11,
  kChecksum = 12,
  kError = 13,
  kLabel = 244,  // of memberlist 0.3 and later
};

// The versions a node speaks: of memberlist's protocol (pmin, pmax, pcur) and of what is built on
// it, Serf's (dmin, dmax, dcur). Every node must be able to speak every other's current one.
struct Versions {
  uint8_t protocol_min = 1;
  uint8_t protocol_max = 5;
  uint8_t protocol_current = 2;
  uint8_t delegate_min = 2;
  uint8_t delegate_max = 5;
  uint8_t delegate_current = 5;

  friend bool operator==(const Versions&, const Versions&) = default;
};

// Are you there? `source` says where to answer, for when that is not where the packet came from.
struct Ping {
  uint32_t sequence = 0;
  std::string node;  // whom it is meant for; "": whoever gets it
  Address source;
  std::string source_node;

  friend bool operator==(const Ping&, const Ping&) = default;
};

// Ask `node` at `target` whether it is there, and tell me.
struct IndirectPing {
  uint32_t sequence = 0;
  Address target;
  std::string node;
  bool wants_nack = false;
  Address source;
  std::string source_node;

  friend bool operator==(const IndirectPing&, const IndirectPing&) = default;
};

struct Ack {
  uint32_t sequence = 0;
  std::string payload;

  friend bool operator==(const Ack&, const Ack&) = default;
};

// I asked as you wanted, in time, and have no answer (Lifeguard, section IV-A).
struct Nack {
  uint32_t sequence = 0;

  friend bool operator==(const Nack&, const Nack&) = default;
};

struct Suspect {
  uint32_t incarnation = 0;
  std::string node;
  std::string from;

  friend bool operator==(const Suspect&, const Suspect&) = default;
};

// From the node itself: it leaves.
struct Dead {
  uint32_t incarnation = 0;
  std::string node;
  std::string from;

  friend bool operator==(const Dead&, const Dead&) = default;
};

struct Alive {
  uint32_t incarnation = 0;
  std::string node;
  Address address;
  std::string meta;
  Versions versions;

  friend bool operator==(const Alive&, const Alive&) = default;
};

enum class NodeState : uint8_t { kAlive = 0, kSuspect = 1, kDead = 2, kLeft = 3 };

std::string_view ToString(NodeState state);

// A node as one side of a push/pull knows it.
struct PushNode {
  std::string name;
  Address address;
  std::string meta;
  uint32_t incarnation = 0;
  NodeState state = NodeState::kAlive;
  Versions versions;

  friend bool operator==(const PushNode&, const PushNode&) = default;
};

// Everything one side knows, in a stream.
struct PushPull {
  bool join = false;
  std::vector<PushNode> nodes;
  std::string user_state;  // Serf's

  friend bool operator==(const PushPull&, const PushPull&) = default;
};

struct ErrorMessage {
  std::string text;

  friend bool operator==(const ErrorMessage&, const ErrorMessage&) = default;
};

}  // namespace cairn::gossip
