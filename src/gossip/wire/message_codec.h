// memberlist's messages as bytes: the type and the MessagePack map behind it.
//
// Decoding takes what Go's decoder takes: fields in any order, unknown ones, absent ones (zero). It
// refuses what nobody may be called: empty or overlong names, control characters in names, which
// would end up in logs and terminals; states and addresses that do not exist. Pure functions, any
// thread.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gossip/wire/messages.h"
#include "gossip/wire/msgpack.h"

namespace cairn::gossip {

// With the type in front.
std::string Encode(const Ping& message);
std::string Encode(const IndirectPing& message);
std::string Encode(const Ack& message);
std::string Encode(const Nack& message);
std::string Encode(const Suspect& message);
std::string Encode(const Dead& message);
std::string Encode(const Alive& message);
std::string Encode(const ErrorMessage& message);

// Each is given what follows the type. Bytes behind the map are ignored, as Go ignores them.
// Errors: INVALID_ARGUMENT, OUT_OF_RANGE when the bytes end too early.
absl::StatusOr<Ping> DecodePing(std::string_view body);
absl::StatusOr<IndirectPing> DecodeIndirectPing(std::string_view body);
absl::StatusOr<Ack> DecodeAck(std::string_view body);
absl::StatusOr<Nack> DecodeNack(std::string_view body);
absl::StatusOr<Suspect> DecodeSuspect(std::string_view body);
absl::StatusOr<Dead> DecodeDead(std::string_view body);
absl::StatusOr<Alive> DecodeAlive(std::string_view body);

// The same, of a stream whose rest may still be to come: the readers go on behind the map.
absl::StatusOr<Ping> TakePing(MsgpackReader& reader);
absl::StatusOr<Ack> TakeAck(MsgpackReader& reader);
absl::StatusOr<ErrorMessage> TakeError(MsgpackReader& reader);
void PutPushNode(const PushNode& node, MsgpackWriter& writer);
absl::StatusOr<PushNode> TakePushNode(MsgpackReader& reader);

// OK when a node may have this name. Errors: INVALID_ARGUMENT.
absl::Status CheckName(std::string_view name);
// Whether `text` has a byte that a terminal would act on: below 0x20, or 0x7f.
bool HasControlCharacters(std::string_view text);

}  // namespace cairn::gossip
