// What the frames between nodes say, as values and as bytes. docs/formats/peer.md has the bytes.
//
// Decoding is strict: a frame that Encode would not have written is an error, but for the
// handshake, where a newer version may say more than we understand. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/types.h"
#include "base/uuid.h"
#include "consensus/peer_frame.h"
#include "consensus/raft_message.h"
#include "env/slice.h"

namespace cairn::consensus {

// The versions of the protocol that this program speaks; see docs/formats/peer.md.
inline constexpr uint16_t kPeerVersionMin = 2;
inline constexpr uint16_t kPeerVersionMax = 2;

// Whoever sends more at once (8192 headers of 80 bytes) splits the message.
inline constexpr size_t kMaxEntriesPerMessage = 8192;
// All entries of one message; a message of one entry of the largest size is within it.
inline constexpr size_t kMaxMessageBodyBytes = 64u << 20;
// The state of a group's machine in an InstallSnapshot, and the payload of a call.
inline constexpr size_t kMaxPayloadBytes = 64u << 20;
inline constexpr size_t kMaxPeerNameBytes = 255;
inline constexpr size_t kMaxPeerAddressBytes = 300;
// Of an error on the wire. What is longer is cut by the sender.
inline constexpr size_t kMaxErrorTextBytes = 4096;
inline constexpr size_t kMaxErrorFields = 32;

// Who a node is.
struct PeerIdentity {
  base::Uuid cluster;    // nil: of none yet
  base::Uuid node_uuid;  // kept in its data directory
  NodeId node;           // 0: not registered yet
  std::string name;
  std::string address;  // where others reach it, "host:port"

  friend bool operator==(const PeerIdentity&, const PeerIdentity&) = default;
};

// What a connection is for.
enum class PeerPurpose : uint8_t {
  kPeer = 1,   // Raft messages and calls of a registered node; a newer one takes its place
  kCalls = 2,  // calls alone, of anybody
};

// The dialler's first frame.
struct Hello {
  uint16_t version_min = kPeerVersionMin;
  uint16_t version_max = kPeerVersionMax;
  PeerPurpose purpose = PeerPurpose::kPeer;
  PeerIdentity from;
  NodeId target;  // whom it means to reach; 0: whoever is there

  friend bool operator==(const Hello&, const Hello&) = default;
};

// The answer of the node that was reached.
struct Welcome {
  uint16_t version = kPeerVersionMax;
  PeerIdentity from;

  friend bool operator==(const Welcome&, const Welcome&) = default;
};

enum class RefusalReason : uint8_t {
  kOther = 0,  // and what a newer version calls something else
  kWrongVersion = 1,
  kWrongCluster = 2,
  kWrongTarget = 3,
  kNotAllowed = 4,
  kOverloaded = 5,
};

// The other answer; the connection ends behind it.
struct Refusal {
  RefusalReason reason = RefusalReason::kOther;
  std::string text;

  friend bool operator==(const Refusal&, const Refusal&) = default;
};

// A call: `method` and `payload` mean something to the layers above only.
struct Request {
  uint64_t id = 0;
  uint16_t method = 0;
  std::string payload;

  friend bool operator==(const Request&, const Request&) = default;
};

// The answer to the request with this id: a payload, or an error with its code, its text and the
// ErrorInfo it carries (base/error_info.h).
struct Response {
  uint64_t id = 0;
  absl::StatusOr<std::string> result = "";
};

void EncodeHello(const Hello& hello, env::SliceBuffer& to);
void EncodeWelcome(const Welcome& welcome, env::SliceBuffer& to);
void EncodeRefusal(const Refusal& refusal, env::SliceBuffer& to);
void EncodePing(env::SliceBuffer& to);

// Nothing is appended on an error: INVALID_ARGUMENT for a message over the limits above. Bodies of
// entries are not copied, but for small ones.
absl::Status EncodeMessage(GroupId group, const Message& message, env::SliceBuffer& to);

// The checksum is the payload's CRC32C, so that it is made outside of locks. The payload is within
// kMaxPayloadBytes.
void EncodeRequest(uint64_t id, uint16_t method, std::shared_ptr<const std::string> payload,
                   uint32_t payload_crc, env::SliceBuffer& to);
void EncodeResponse(uint64_t id, std::shared_ptr<const std::string> payload, uint32_t payload_crc,
                    env::SliceBuffer& to);
void EncodeErrorResponse(uint64_t id, const absl::Status& error, env::SliceBuffer& to);

bool IsRaftMessage(FrameType type);

// Each is given a frame of its own type. Errors: INVALID_ARGUMENT for what Encode does not write,
// DATA_LOSS for a body whose CRC does not hold. Messages and requests take over the frame's buffer.
absl::StatusOr<Hello> DecodeHello(const Frame& frame);
absl::StatusOr<Welcome> DecodeWelcome(const Frame& frame);
absl::StatusOr<Refusal> DecodeRefusal(const Frame& frame);
absl::Status DecodePing(const Frame& frame);
absl::StatusOr<Message> DecodeMessage(Frame frame);
absl::StatusOr<Request> DecodeRequest(Frame frame);
absl::StatusOr<Response> DecodeResponse(Frame frame);

}  // namespace cairn::consensus
