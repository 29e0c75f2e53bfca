// Records as GET /records.json answers them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "base/types.h"
#include "broker/partition.h"
#include "server/console/records_query.h"

namespace cairn::server {

struct RecordsAnswer {
  std::string json;
  uint64_t records = 0;  // in it
  uint64_t bytes = 0;    // of their keys, values and headers, whole
};

// The records of `fetched` from `from` on, as far as the query's limits go, at least one if there is
// one:
//
//   {"topic":"orders","partition":0,"log_start":0,"high_watermark":9,"next_offset":8,"records":[
//    {"offset":7,"timestamp_ms":…,"key":"k","value":"v","headers":[{"name":"n","value":"v"}]}]}
//
// Bytes that are not UTF-8 are "key_base64" and so on, as in `cairn consume --format json`. What was
// cut has its whole size beside it: "value_bytes":100000; of more than kMaxHeadersShown headers
// "headers_count" says how many there are. Errors: DATA_LOSS when a body is no records section.
absl::StatusOr<RecordsAnswer> RecordsJson(const RecordsQuery& query, Offset from,
                                          const broker::FetchResult& fetched);

inline constexpr size_t kMaxHeadersShown = 64;

}  // namespace cairn::server
