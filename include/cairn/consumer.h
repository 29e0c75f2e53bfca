// A consumer: reads one partition of a topic in order, ahead of the application.
//
//   auto consumer = cairn::Consumer::Create(client, {.topic = "greetings"});
//   cairn::ConsumedRecord record;
//   while ((*consumer)->Next(record) == cairn::Consumer::Result::kRecord) { ... record.value ... }
//   if (absl::Status why = (*consumer)->status(); !why.ok()) { ... }
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cairn/client.h"
#include "cairn/export.h"
#include "cairn/record.h"

namespace cairn {

struct StartAt {
  enum class Kind { kEarliest, kLatest, kOffset, kTimestamp };
  Kind kind = Kind::kEarliest;
  int64_t value = 0;  // the offset, or milliseconds since the Unix epoch

  static StartAt Earliest() { return {Kind::kEarliest, 0}; }
  static StartAt Latest() { return {Kind::kLatest, 0}; }  // what is appended from now on
  static StartAt Offset(uint64_t offset) { return {Kind::kOffset, static_cast<int64_t>(offset)}; }
  // The first record whose timestamp is this or later.
  static StartAt Timestamp(int64_t timestamp_ms) { return {Kind::kTimestamp, timestamp_ms}; }
};

struct ConsumerOptions {
  std::string topic = {};
  int32_t partition = 0;
  StartAt start = {};
  // End when everything is read that was committed when the consumer started, instead of following.
  bool stop_at_end = false;
  // How many bytes are fetched ahead of the application.
  size_t prefetch_bytes = 8 << 20;
  // About how many bytes one response of the broker holds.
  uint32_t response_bytes = 1 << 20;
  // Ask the leader to prove that it leads before it answers: no older than any append acknowledged
  // before.
  bool linearizable = false;
  // How long a lost connection is retried before Next fails with UNAVAILABLE; -1 means without end.
  int64_t reconnect_timeout_ms = 60'000;
  // The trace that reading belongs to (W3C traceparent). What is none is ignored.
  std::string traceparent = {};
};

// Every batch is checked against its CRC32C. After a lost connection reading goes on behind the
// last record returned: none is skipped, none comes twice. Owned by one thread at a time; Cancel
// may come from any.
class CAIRN_EXPORT Consumer {
 public:
  enum class Result {
    kRecord,
    kTimeout,  // nothing came within the time given
    kEnd,      // stop_at_end: all is read
    kError,    // status() says why; later calls return the same
  };

  // Finds out where to start; blocks up to the client's timeout_ms.
  // Errors: NOT_FOUND (UNKNOWN_TOPIC, UNKNOWN_PARTITION), UNAVAILABLE or DEADLINE_EXCEEDED when no
  // broker answers. An offset that is out of range is reported by Next.
  static absl::StatusOr<std::unique_ptr<Consumer>> Create(std::shared_ptr<Client> client,
                                                          ConsumerOptions options);

  ~Consumer();
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  // The next record. Its views live until the next call. timeout_ms -1 waits without end, 0 not at
  // all.
  Result Next(ConsumedRecord& record, int64_t timeout_ms = -1);

  // Whether Next would return a record without waiting.
  bool ready() const;

  // Offset of the record that Next returns next, once one was returned; what follows can be read
  // again from here by another consumer.
  uint64_t position() const;

  // First offset that was not committed when the broker last answered.
  uint64_t high_watermark() const;

  // OK, or why Next returned kError: OUT_OF_RANGE (OFFSET_OUT_OF_RANGE with log_start and
  // high_watermark), DATA_LOSS, UNAVAILABLE, CANCELLED after Cancel, …
  const absl::Status& status() const;

  // Makes Next return kError with CANCELLED, soon. Any thread; not async-signal-safe.
  void Cancel();

 private:
  class Impl;
  explicit Consumer(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace cairn
