// A partition: one totally ordered log, as producers and consumers see it.
//
// Sits between the rpc layer and the partition's replica (consensus/replica.h). The public methods
// are thread-safe: they reach the partition's shard through its executor, or read what the shard
// publishes.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/types.h"
#include "log/batch.h"
#include "log/entry.h"

namespace cairn::broker {

struct ProduceResult {
  Offset base_offset;    // of the batch's first record
  int64_t timestamp_ms;  // the broker's clock when the batch was accepted
  bool duplicate =
      false;  // true: an earlier try of the same producer and sequence was stored, at base_offset
};

// Entries of kind batch, in order; consecutive in offset. Views live as long as the entries.
struct FetchResult {
  std::vector<log::Entry> entries;
  Offset log_start;
  Offset high_watermark;
};

class Partition {
 public:
  using ProduceCallback = absl::AnyInvocable<void(absl::StatusOr<ProduceResult>)>;
  using WaitCallback = absl::AnyInvocable<void(absl::Status)>;
  using WaitId = uint64_t;

  virtual ~Partition() = default;

  // Appends `batch` and calls `done` once it is committed: on disk on a majority of the replicas.
  // Results of one caller's successive calls come in the order of the calls. `done` runs on the
  // shard's thread and must not block. With `expected_offset`, the batch is stored only if it gets
  // exactly that offset. Errors: INVALID_ARGUMENT (what log::ValidateBatch finds, timestamps more
  // than an hour ahead of the broker's clock); FAILED_PRECONDITION with reason UNEXPECTED_OFFSET
  // and actual_offset; OUT_OF_ORDER_SEQUENCE or STALE_PRODUCER_EPOCH; ALREADY_EXISTS with
  // DUPLICATE_SEQUENCE for a retry older than the window; RESOURCE_EXHAUSTED with DISK_FULL or
  // OVERLOADED; NOT_FOUND when the topic was deleted; UNAVAILABLE while shutting down or when the
  // disk failed. After UNAVAILABLE the batch may be stored or not.
  virtual void Produce(log::Batch batch, std::optional<Offset> expected_offset,
                       ProduceCallback done) = 0;

  // Runs `task` on the thread that answers, behind the answers that are ready now: so that what
  // many of them have in common is done once. Thread-safe; must not block.
  virtual void PostBehindAnswers(absl::AnyInvocable<void()> task) = 0;

  // First offset that can be read, and first offset that is not committed yet. Readable: [start,
  // watermark).
  virtual Offset log_start() const = 0;
  virtual Offset high_watermark() const = 0;

  // Reads committed entries from the one that holds `from` on, about max_bytes of them and at least
  // one. `from` may lie within the first entry: the caller skips the records before it. Empty when
  // from == high_watermark(). Blocking: reads the disk when the tail cache has not what is asked.
  // Errors: OUT_OF_RANGE with reason OFFSET_OUT_OF_RANGE, log_start and high_watermark; DATA_LOSS
  // with reason DAMAGED_LOG, file and position when the range is damaged; NOT_FOUND when the topic
  // was deleted.
  virtual absl::StatusOr<FetchResult> Fetch(Offset from, size_t max_bytes) = 0;

  // Counts what a reader was given of what Fetch brought, for metrics. Thread-safe.
  virtual void CountConsumed(uint64_t records, uint64_t bytes) = 0;

  // First offset whose record's timestamp is >= timestamp_ms; the high watermark when there is
  // none. Blocking; errors as in Fetch.
  virtual absl::StatusOr<Offset> OffsetForTimestamp(int64_t timestamp_ms) = 0;

  // Calls `ready` with OK once high_watermark() > from (at once, through the shard, when it already
  // is), with CANCELLED after CancelWait, with NOT_FOUND when the topic is deleted, UNAVAILABLE
  // when the broker stops. Exactly once; on the shard's thread; must not block.
  virtual WaitId WaitForData(Offset from, WaitCallback ready) = 0;
  virtual void CancelWait(WaitId wait) = 0;

  // Calls `done` with OK once high_watermark() covers everything that was committed anywhere when
  // this was called: a Fetch behind it is linearizable. Proven by a round to a majority; writes
  // nothing. On the shard's thread; must not block. Errors: UNAVAILABLE with reason NOT_LEADER
  // (leader_id, leader_addr) on any node but the partition's leader.
  virtual void ReadBarrier(absl::AnyInvocable<void(absl::Status)> done) = 0;
};

}  // namespace cairn::broker
