#include "broker/producer_states.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/error_info.h"
#include "base/strings.h"

namespace cairn::broker {
namespace {

constexpr std::string_view kSnapshotMagic = "cairnpid1";

// Sequences wrap from 2^31-1 to 0.
int32_t Advance(int32_t sequence, uint32_t count) {
  return static_cast<int32_t>((static_cast<uint32_t>(sequence) + count) & 0x7fffffff);
}

// Whether `sequence` was given out before `expected`: less than half the circle behind it.
bool IsBefore(int32_t sequence, int32_t expected) {
  const uint32_t behind =
      (static_cast<uint32_t>(expected) - static_cast<uint32_t>(sequence)) & 0x7fffffff;
  return behind != 0 && behind < 0x40000000;
}

template <typename T>
void AppendInt(std::string& out, T value) {
  char bytes[sizeof(T)];
  base::StoreLittleEndian<T>(bytes, value);
  out.append(bytes, sizeof(T));
}

template <typename T>
bool TakeInt(std::string_view& in, T& value) {
  if (in.size() < sizeof(T)) return false;
  value = base::LoadLittleEndian<T>(in.data());
  in.remove_prefix(sizeof(T));
  return true;
}

}  // namespace

absl::StatusOr<std::optional<ProducerStates::Stored>> ProducerStates::Check(
    const log::Batch& batch) const {
  const auto it = producers_.find(batch.producer_id);
  if (it == producers_.end() || it->second.window.empty()) return std::nullopt;
  const Producer& producer = it->second;
  if (batch.producer_epoch < producer.epoch) {
    return base::MakeError(
        absl::StatusCode::kFailedPrecondition,
        base::StrCat("producer ", batch.producer_id, " has epoch ", producer.epoch,
                     " now; this is epoch ", batch.producer_epoch, " of an earlier instance"),
        base::reason::kStaleProducerEpoch,
        {{"current_epoch", base::StrCat(producer.epoch)},
         {"epoch", base::StrCat(batch.producer_epoch)}});
  }
  const Appended& last = producer.window.back();
  const int32_t expected =
      batch.producer_epoch > producer.epoch ? 0 : Advance(last.base_sequence, last.record_count);
  if (batch.base_sequence == expected) return std::nullopt;
  if (batch.producer_epoch == producer.epoch) {
    for (const Appended& appended : producer.window) {
      if (appended.base_sequence == batch.base_sequence &&
          appended.record_count == batch.record_count) {
        return Stored{appended.base_offset, appended.base_offset + appended.record_count};
      }
    }
    if (IsBefore(batch.base_sequence, producer.window.front().base_sequence)) {
      return base::MakeError(
          absl::StatusCode::kAlreadyExists,
          base::StrCat("sequence ", batch.base_sequence, " of producer ", batch.producer_id,
                       " was stored before; its offset is no longer remembered"),
          base::reason::kDuplicateSequence);
    }
  }
  return base::MakeError(
      absl::StatusCode::kFailedPrecondition,
      base::StrCat("producer ", batch.producer_id, " sent sequence ", batch.base_sequence,
                   ", expected ", expected, ": an earlier batch is missing"),
      base::reason::kOutOfOrderSequence,
      {{"expected_sequence", base::StrCat(expected)},
       {"sequence", base::StrCat(batch.base_sequence)}});
}

ProducerStates::Producer& ProducerStates::Touch(int64_t producer_id) {
  const auto [it, created] = producers_.try_emplace(producer_id);
  if (created) {
    if (producers_.size() > kMaxProducers) {
      producers_.erase(by_recency_.front());
      by_recency_.pop_front();
    }
    Producer& producer = producers_[producer_id];
    producer.recency = by_recency_.insert(by_recency_.end(), producer_id);
    return producer;
  }
  by_recency_.splice(by_recency_.end(), by_recency_, it->second.recency);
  return it->second;
}

void ProducerStates::Note(const log::EntryHeader& header) {
  if (header.producer_id == log::kNoProducerId) return;
  Producer& producer = Touch(header.producer_id);
  if (header.producer_epoch != producer.epoch) {
    producer.epoch = header.producer_epoch;
    producer.window.clear();
  }
  producer.window.push_back({header.base_sequence, header.record_count, header.base_offset});
  if (producer.window.size() > kProducerWindow) producer.window.pop_front();
}

void ProducerStates::Forget(const log::EntryHeader& header) {
  const auto it = producers_.find(header.producer_id);
  if (it == producers_.end() || it->second.epoch != header.producer_epoch) return;
  std::deque<Appended>& window = it->second.window;
  if (!window.empty() && window.back().base_offset == header.base_offset) window.pop_back();
}

std::string ProducerStates::Encode(Offset end_offset) const {
  std::string out(kSnapshotMagic);
  AppendInt<uint64_t>(out, end_offset.value());
  AppendInt<uint32_t>(out, static_cast<uint32_t>(by_recency_.size()));
  for (const int64_t id : by_recency_) {
    const Producer& producer = producers_.at(id);
    AppendInt<int64_t>(out, id);
    AppendInt<int16_t>(out, producer.epoch);
    AppendInt<uint32_t>(out, static_cast<uint32_t>(producer.window.size()));
    for (const Appended& appended : producer.window) {
      AppendInt<int32_t>(out, appended.base_sequence);
      AppendInt<uint32_t>(out, appended.record_count);
      AppendInt<uint64_t>(out, appended.base_offset.value());
    }
  }
  return out;
}

absl::StatusOr<ProducerStates::Snapshot> ProducerStates::Decode(std::string_view bytes) {
  const auto malformed = [] { return absl::DataLossError("not a snapshot of producer states"); };
  if (!bytes.starts_with(kSnapshotMagic)) return malformed();
  bytes.remove_prefix(kSnapshotMagic.size());
  Snapshot snapshot;
  uint64_t end_offset = 0;
  uint32_t producers = 0;
  if (!TakeInt(bytes, end_offset) || !TakeInt(bytes, producers) || producers > kMaxProducers) {
    return malformed();
  }
  snapshot.end_offset = Offset(end_offset);
  for (uint32_t i = 0; i < producers; ++i) {
    int64_t id = 0;
    int16_t epoch = 0;
    uint32_t window = 0;
    if (!TakeInt(bytes, id) || !TakeInt(bytes, epoch) || !TakeInt(bytes, window) ||
        window > kProducerWindow) {
      return malformed();
    }
    Producer& producer = snapshot.states.Touch(id);
    producer.epoch = epoch;
    for (uint32_t w = 0; w < window; ++w) {
      Appended appended;
      uint64_t base_offset = 0;
      if (!TakeInt(bytes, appended.base_sequence) || !TakeInt(bytes, appended.record_count) ||
          !TakeInt(bytes, base_offset)) {
        return malformed();
      }
      appended.base_offset = Offset(base_offset);
      producer.window.push_back(appended);
    }
  }
  if (!bytes.empty()) return malformed();
  return snapshot;
}

}  // namespace cairn::broker
