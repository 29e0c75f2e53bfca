// RecordsWriter: records as GET /records.json answers them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "base/types.h"
#include "broker/partition.h"
#include "server/console/records_query.h"

namespace cairn::server {

inline constexpr size_t kMaxHeadersShown = 64;

// Made for one answer; thread-compatible.
class RecordsWriter {
 public:
  // Records before `from` are left out. `query` outlives the writer.
  RecordsWriter(const RecordsQuery& query, Offset from) : query_(query), next_(from) {}

  // Takes the records of `fetched`, which begins at or before next(), as far as there is room.
  // Errors: DATA_LOSS when a body is no records section.
  absl::Status Add(const broker::FetchResult& fetched);

  // Whether a limit of the query is reached; never without a record.
  bool full() const { return records_ >= query_.limit || rows_.size() >= query_.max_bytes; }
  Offset next() const { return next_; }  // behind the last record
  uint64_t records() const { return records_; }
  uint64_t bytes() const { return bytes_; }  // of keys, values and headers, whole

  // The answer, after an Add:
  //
  //   {"topic":"orders","partition":0,"log_start":0,"high_watermark":9,"next_offset":8,"records":[
  //   {"offset":7,"timestamp_ms":…,"key":"k","value":"v","headers":[{"name":"n","value":"v"}]}]}
  //
  // Bytes that are not UTF-8 are "key_base64" and so on, as in `cairn consume --format json`. What
  // was cut has its whole size beside it: "value_bytes":100000; of more than kMaxHeadersShown
  // headers "headers_count" says how many there are.
  std::string Json() const;

 private:
  const RecordsQuery& query_;
  Offset next_;
  Offset log_start_;
  Offset high_watermark_;
  std::string rows_;
  uint64_t records_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace cairn::server
