// What a node tells of itself: names and values, at most 512 bytes of them as memberlist's "meta".
// Serf writes 0xff and a MessagePack map; a meta without that mark is, for the oldest nodes, the
// value of the tag "role". Pure functions, any thread.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace cairn::gossip {

using Tags = std::map<std::string, std::string>;

// Errors: INVALID_ARGUMENT for control characters in a name or value, or when the whole is longer
// than kMaxMetaBytes, saying by how much.
absl::StatusOr<std::string> EncodeTags(const Tags& tags);

// Errors: INVALID_ARGUMENT, for control characters too.
absl::StatusOr<Tags> DecodeTags(std::string_view meta);

}  // namespace cairn::gossip
