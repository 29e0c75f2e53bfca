// What GET /records.json asks for, checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/types.h"

namespace cairn::server {

// Bounds of one answer, and what holds where the query says nothing. A page of a browser has a few
// hundred rows; who wants more uses `cairn consume`.
inline constexpr int64_t kMaxRecordsShown = 500;
inline constexpr int64_t kRecordsShown = 50;
inline constexpr int64_t kMaxAnswerBytes = 1 << 20;
inline constexpr int64_t kAnswerBytes = 256 << 10;
inline constexpr int64_t kCutBytes = 4 << 10;
// Below HttpLimits::wait_timeout_ns, and below the minute after which proxies lose patience.
inline constexpr int64_t kMaxWaitMs = 20'000;

enum class RecordsFrom { kOffset, kEarliest, kLatest };

struct RecordsQuery {
  std::string topic;
  PartitionId partition;
  RecordsFrom from = RecordsFrom::kEarliest;
  Offset offset;                    // kOffset
  size_t limit = kRecordsShown;     // records; 1 … kMaxRecordsShown
  size_t max_bytes = kAnswerBytes;  // of the answer, about
  size_t cut_bytes = kCutBytes;     // keys, values and headers that are longer are cut
  int64_t wait_ns = 0;              // for a record, when there is none

  // Of "topic=T&partition=P&offset=N|earliest|latest&limit=K&max_bytes=B&cut=C&wait_ms=W", of which
  // only the topic has to be there. Errors: INVALID_ARGUMENT, also for a name that no topic has.
  static absl::StatusOr<RecordsQuery> Parse(std::string_view query);
};

}  // namespace cairn::server
