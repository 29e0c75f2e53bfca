// What a replica with a damaged log asks of the others, and is told: PeerMethod::kEntries.
//
// Request, little-endian: group (8), first index (8), limit index (8), bytes at most (4).
// Response: where the log there begins: index (8), offset (8), term before (4), first offset that
// is read (8); the term of the entry before the first one asked for (4); count (4); and of each
// entry its header as in a store file, with seed 0, and its body. Behind a count of 0 the state of
// the group's machine, or nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/types.h"
#include "log/entry.h"
#include "log/log.h"
#include "log/log_start.h"

namespace cairn::cluster {

struct EntriesRequest {
  GroupId group;
  Index from;
  Index limit;
  uint32_t max_bytes = 0;
};
struct EntriesResponse {
  log::LogStart first;              // of the log there
  Offset start_offset;              // and what can be read of it
  Term term_before;                 // of the entry before the first one; 0 when there are none
  std::vector<log::Entry> entries;  // none: they were deleted there
  // Then, for group 0: a MetadataSnapshot that takes their place.
  std::string state = {};
};

// What is asked for at once, and at most.
inline constexpr uint32_t kFetchBytes = 1 << 20;

std::string Encode(const EntriesRequest& request);
absl::StatusOr<EntriesRequest> DecodeEntriesRequest(std::string_view bytes);
std::string Encode(const EntriesResponse& response);
// The headers' checksums have been compared, the bodies' have not. Errors: INVALID_ARGUMENT,
// DATA_LOSS.
absl::StatusOr<EntriesResponse> DecodeEntriesResponse(std::string bytes);

// The answer of a replica where the entries up to `committed` are final. Blocking. Errors:
// UNAVAILABLE when it does not know the first of them to be committed; DATA_LOSS when it is damaged
// here, too.
absl::StatusOr<EntriesResponse> AnswerEntries(const log::Log& log, Index committed,
                                              const EntriesRequest& request);

}  // namespace cairn::cluster
