// ProducerStates: what a partition remembers of its idempotent producers, so that a retry is stored
// once.
//
// Per producer: its epoch and its last batches (sequence, count, offset). It is rebuilt from the
// log's headers, from a snapshot on; a batch older than the window is refused, never stored twice.
// The rules are Kafka's (KIP-98, KIP-360), with a wider window, because a stream may have hundreds
// in flight.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <optional>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/types.h"
#include "log/batch.h"
#include "log/entry.h"

namespace cairn::broker {

// Batches remembered per producer. A client has at most this many unanswered (include/cairn keeps
// to 256).
inline constexpr size_t kProducerWindow = 512;
// Producers remembered per partition; beyond, the one that was silent longest is forgotten.
inline constexpr size_t kMaxProducers = 2048;

// Thread-compatible.
class ProducerStates {
 public:
  // An earlier batch of the same producer and sequence.
  struct Stored {
    Offset base_offset;
    Offset end_offset;
  };
  // Whether `batch` (with producer fields) may be stored now: nullopt when it is new, the stored
  // one when it is a retry. Errors: FAILED_PRECONDITION with reason OUT_OF_ORDER_SEQUENCE or
  // STALE_PRODUCER_EPOCH; ALREADY_EXISTS with DUPLICATE_SEQUENCE when it was stored and has left
  // the window.
  absl::StatusOr<std::optional<Stored>> Check(const log::Batch& batch) const;

  // Takes note of an entry that was appended. Entries without a producer are passed over.
  void Note(const log::EntryHeader& header);

  // Takes back what the last Note of this producer noted: the entry was rejected. In reverse order
  // of Note.
  void Forget(const log::EntryHeader& header);

  // The states after all entries below `end_offset`, as bytes, and back. Errors of Decode:
  // DATA_LOSS.
  std::string Encode(Offset end_offset) const;
  struct Snapshot;
  static absl::StatusOr<Snapshot> Decode(std::string_view bytes);

  size_t size() const { return producers_.size(); }

 private:
  struct Appended {
    int32_t base_sequence = 0;
    uint32_t record_count = 0;
    Offset base_offset;
  };
  struct Producer {
    int16_t epoch = 0;
    std::deque<Appended> window;  // oldest first; never empty but after Forget
    std::list<int64_t>::iterator recency;
  };

  Producer& Touch(int64_t producer_id);

  absl::flat_hash_map<int64_t, Producer> producers_;
  std::list<int64_t> by_recency_;  // producer ids, least recently appended first
};

struct ProducerStates::Snapshot {
  ProducerStates states;
  Offset end_offset;
};

}  // namespace cairn::broker
