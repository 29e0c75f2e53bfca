#include "broker/shard_partition.h"

#include <algorithm>
#include <utility>

#include "base/error_info.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "broker/producer_snapshot.h"
#include "log/records.h"

namespace cairn::broker {
namespace {

// How far a record's timestamp may lie ahead of the broker's clock: beyond, retention by age would
// keep the record for as long. Clocks of sane machines differ by less.
constexpr int64_t kMaxTimestampAheadMs = 3'600'000;
// After this many bytes the producer states are written out, so that a restart after a kill replays
// no more.
constexpr uint64_t kSnapshotIntervalBytes = 64 << 20;

// Requests that come while this many waves are on their way to the disks wait for one of them and
// go together as the next: a step of Raft, a message to each follower and a round of the disks cost
// as much for one small request as for many. Two, so that the disks have the next wave when they
// are done with one. An idle partition never waits, and neither does what is worth a wave by
// itself.
constexpr size_t kWavesUnderWay = 2;
constexpr uint64_t kWaveBytes = 64 << 10;
constexpr size_t kWaveRequests = 1024;

}  // namespace

ShardPartition::ShardPartition(Dependencies dependencies, TopicSettings settings,
                               LoadedProducers producers)
    : dependencies_(std::move(dependencies)),
      settings_(settings),
      states_(std::move(producers.states)),
      states_end_(producers.end),
      counted_offset_(producers.end) {
  for (const log::EntryHeader& header : producers.batches) {
    states_.Note(header);
    uncommitted_.push_back(header);
    counted_offset_ = header.end_offset();
  }
}

void ShardPartition::SetReplica(std::shared_ptr<consensus::Replica> replica) {
  replica_ = std::move(replica);
  high_watermark_.store(replica_->log()->start_offset().value(), std::memory_order_release);
}

TopicSettings ShardPartition::settings() const {
  base::MutexLock lock(mutex_);
  return settings_;
}

absl::Status ShardPartition::CheckOpen() const {
  base::MutexLock lock(mutex_);
  return closed_;
}

Offset ShardPartition::log_start() const { return replica_->log()->start_offset(); }

Offset ShardPartition::high_watermark() const {
  return Offset(high_watermark_.load(std::memory_order_acquire));
}

// ---- produce ----

absl::Status ShardPartition::CheckRequest(const log::Batch& batch, int64_t now_ms) const {
  const TopicSettings limits = settings();
  log::BatchLimits batch_limits;
  batch_limits.max_record_bytes = static_cast<uint64_t>(limits.max_record_bytes);
  batch_limits.max_batch_bytes = static_cast<uint64_t>(limits.max_batch_bytes);
  CAIRN_RETURN_IF_ERROR(log::ValidateBatch(batch, batch_limits));
  if (batch.max_timestamp_ms > now_ms + kMaxTimestampAheadMs) {
    return base::MakeError(absl::StatusCode::kInvalidArgument,
                           base::StrCat("timestamp ", batch.max_timestamp_ms,
                                        " ms is more than an hour ahead of the "
                                        "broker's clock, ",
                                        now_ms, " ms; check the producer's clock"),
                           base::reason::kMalformedBatch);
  }
  const uint64_t inflight = dependencies_.counters->inflight_bytes.load(std::memory_order_relaxed);
  if (inflight + batch.records.size() > dependencies_.max_inflight_bytes) {
    return base::MakeError(
        absl::StatusCode::kResourceExhausted,
        base::StrCat("the broker has ", inflight, " bytes of unanswered requests, its limit is ",
                     dependencies_.max_inflight_bytes, "; try again later"),
        base::reason::kOverloaded);
  }
  return CheckOpen();
}

void ShardPartition::Produce(log::Batch batch, std::optional<Offset> expected_offset,
                             ProduceCallback done) {
  Waiter waiter;
  waiter.done = std::move(done);
  waiter.start_ns = dependencies_.clock->MonotonicNs();
  waiter.records = batch.record_count;
  const int64_t now_ms = dependencies_.clock->WallMs();
  // Checked on the caller's thread, so that the shard has only the work that needs its order. An
  // error still goes through the shard: answers keep the order of the calls.
  if (absl::Status status = CheckRequest(batch, now_ms); !status.ok()) {
    waiter.result = std::move(status);
  } else {
    waiter.bytes = batch.records.size();
    dependencies_.counters->inflight_bytes.fetch_add(waiter.bytes, std::memory_order_relaxed);
    waiter.result = ProduceResult{Offset(), now_ms, false};
  }
  dependencies_.loop->Post(
      [self = shared_from_this(),
       request = Request{std::move(batch), expected_offset, std::move(waiter)}]() mutable {
        self->Accept(std::move(request));
      });
}

void ShardPartition::Accept(Request request) {
  gathered_bytes_ += request.waiter.bytes;
  gathered_.push_back(std::move(request));
  if (waves_.size() >= kWavesUnderWay && gathered_bytes_ < kWaveBytes &&
      gathered_.size() < kWaveRequests) {
    return;
  }
  // Behind what the loop already has to do, so that requests which came together go together.
  PlaceSoon();
}

void ShardPartition::PlaceSoon() {
  if (std::exchange(placing_soon_, true)) return;
  dependencies_.loop->Post([self = shared_from_this()] {
    self->placing_soon_ = false;
    self->PlaceGathered();
  });
}

void ShardPartition::PlaceGathered() {
  if (gathered_.empty()) return;
  gathered_bytes_ = 0;
  const Offset first = replica_->next_offset();
  std::vector<Proof> proofs;
  const absl::Status proposed = replica_->ProposeTogether([&] {
    for (Request& request : std::exchange(gathered_, {})) {
      Settle(request);
      if (request.waiter.proof != nullptr) proofs.push_back(request.waiter.proof);
      waiters_.push_back(std::move(request.waiter));
    }
  });
  if (!proposed.ok()) {
    OnTruncated(first);
    Fail(first, proposed);
  } else if (replica_->next_offset() > first) {
    waves_.push_back(replica_->next_offset());
  }
  // A refusal is final for the producer, and a leader that was deposed without knowing it refuses
  // what only its successor knows the predecessor of. So it is proven first that this node leads.
  for (const Proof& proof : proofs) {
    replica_->ReadBarrier([self = shared_from_this(), proof](absl::Status status) {
      *proof = std::move(status);
      self->Answer();
    });
  }
  Answer();
}

void ShardPartition::Settle(Request& request) {
  Waiter& waiter = request.waiter;
  if (!waiter.result.ok()) return;
  const auto until = Place(request);
  if (until.ok()) {
    waiter.until = *until;
    return;
  }
  waiter.result = until.status();
  if (!absl::IsUnavailable(until.status()) && !absl::IsResourceExhausted(until.status())) {
    waiter.proof = std::make_shared<std::optional<absl::Status>>();
  }
}

// Gives the batch its place, new or old, and returns the offset that must be committed before the
// answer.
absl::StatusOr<Offset> ShardPartition::Place(Request& request) {
  auto& [batch, expected_offset, waiter] = request;
  CAIRN_RETURN_IF_ERROR(CheckOpen());
  // Before anything is said about sequences and offsets: a replica that does not lead may know too
  // little of them, and what it knows may be cut off and replaced while the request waits for it.
  CAIRN_RETURN_IF_ERROR(replica_->CheckProposable());
  if (batch.producer_id != log::kNoProducerId) {
    CAIRN_ASSIGN_OR_RETURN(const auto stored, states_.Check(batch));
    if (stored) {
      waiter.result->base_offset = stored->base_offset;
      waiter.result->duplicate = true;
      return stored->end_offset;
    }
  }
  const Offset next = replica_->next_offset();
  if (expected_offset && *expected_offset != next) {
    return base::MakeError(absl::StatusCode::kFailedPrecondition,
                           base::StrCat("the next offset is ", next.value(), ", not the expected ",
                                        expected_offset->value()),
                           base::reason::kUnexpectedOffset,
                           {{"actual_offset", base::StrCat(next.value())},
                            {"expected_offset", base::StrCat(expected_offset->value())}});
  }
  if (batch.trace.sampled) TraceWait(batch.trace, waiter.start_ns);
  CAIRN_ASSIGN_OR_RETURN(const log::EntryHeader header, replica_->Propose(std::move(batch)));
  states_.Note(header);
  uncommitted_.push_back(header);
  waiter.result->base_offset = header.base_offset;
  return header.end_offset();
}

// From the call until the batch has its place: behind others that wait, in the shard's queue.
void ShardPartition::TraceWait(const base::TraceContext& trace, int64_t start_ns) const {
  if (dependencies_.tracer == nullptr) return;
  dependencies_.tracer->End({.name = "batch wait",
                             .context = dependencies_.tracer->ChildOf(trace),
                             .parent = trace.span_id,
                             .start_ns = start_ns,
                             .end_ns = dependencies_.clock->MonotonicNs()});
}

// Answers from the front: in the order of the calls, each when its turn and its commit have come.
void ShardPartition::Answer() {
  if (answering_) return;  // a callback led back here; the loop below goes on
  answering_ = true;
  const Offset committed = high_watermark();
  const int64_t now_ns = waiters_.empty() ? 0 : dependencies_.clock->MonotonicNs();
  while (!waiters_.empty() &&
         (!waiters_.front().result.ok() || waiters_.front().until <= committed)) {
    if (waiters_.front().proof != nullptr && !waiters_.front().proof->has_value()) break;
    Waiter waiter = std::move(waiters_.front());
    waiters_.pop_front();
    if (waiter.proof != nullptr && !(*waiter.proof)->ok()) waiter.result = **waiter.proof;
    dependencies_.counters->inflight_bytes.fetch_sub(waiter.bytes, std::memory_order_relaxed);
    Count(waiter, now_ns);
    waiter.done(std::move(waiter.result));
  }
  answering_ = false;
}

void ShardPartition::Count(const Waiter& waiter, int64_t now_ns) {
  if (!waiter.result.ok()) return;
  dependencies_.counters->produce_ns.Observe(now_ns - waiter.start_ns);
  if (waiter.result->duplicate) return;
  counters_.produced_records.Add(waiter.records);
  counters_.produced_bytes.Add(waiter.bytes);
}

void ShardPartition::OnCommitted(Offset high_watermark) {
  NodeCounters& counters = *dependencies_.counters;
  while (!uncommitted_.empty() && uncommitted_.front().end_offset() <= high_watermark) {
    const log::EntryHeader& header = uncommitted_.front();
    bytes_since_snapshot_ += header.body_bytes;
    if (header.base_offset >= counted_offset_) {
      counters.records_appended.fetch_add(header.record_count, std::memory_order_relaxed);
      counters.bytes_appended.fetch_add(header.body_bytes, std::memory_order_relaxed);
    }
    uncommitted_.pop_front();
  }
  counters.disk_full.store(false, std::memory_order_relaxed);
  high_watermark_.store(high_watermark.value(), std::memory_order_release);
  while (!waves_.empty() && waves_.front() <= high_watermark) waves_.pop_front();
  if (waves_.size() < kWavesUnderWay && !gathered_.empty()) PlaceSoon();
  Answer();
  WakeReaders();
  MaybeSnapshotProducers(bytes_since_snapshot_ >= kSnapshotIntervalBytes);
}

void ShardPartition::OnAppended(std::span<const log::Entry> batches) {
  for (const log::Entry& entry : batches) {
    if (entry.header.kind != log::EntryKind::kBatch) continue;
    if (entry.header.base_offset >= states_end_) states_.Note(entry.header);
    uncommitted_.push_back(entry.header);
  }
}

void ShardPartition::OnTruncated(Offset from) {
  while (!uncommitted_.empty() && uncommitted_.back().base_offset >= from) {
    states_.Forget(uncommitted_.back());
    uncommitted_.pop_back();
  }
}

void ShardPartition::OnAbandoned(const absl::Status& error) {
  if (absl::IsResourceExhausted(error)) {
    dependencies_.counters->disk_full.store(true, std::memory_order_relaxed);
  }
  waves_.clear();
  if (!gathered_.empty()) PlaceSoon();
  Fail(high_watermark(), error);
  Answer();
}

// Whoever waits for more than `from` to be committed gets `error`.
void ShardPartition::Fail(Offset from, const absl::Status& error) {
  for (Waiter& waiter : waiters_) {
    if (waiter.result.ok() && waiter.until > from) waiter.result = error;
  }
}

std::string ShardPartition::SnapshotState() {
  ProducerStates committed = states_;
  for (size_t i = uncommitted_.size(); i-- > 0;) committed.Forget(uncommitted_[i]);
  return committed.Encode(high_watermark());
}

// Until the disk has done it, readers see the old log up to the old high watermark; OnCommitted
// tells of the new one.
consensus::Replica::Owner::BeforeReset ShardPartition::OnReset(Offset start,
                                                               const std::string& state) {
  auto snapshot = ProducerStates::Decode(state);
  absl::Status status = snapshot.status();
  if (status.ok() && snapshot->end_offset < start) {
    status = absl::DataLossError("the states of the producers end before the log begins");
  }
  if (!status.ok()) {
    return [status] { return status; };
  }
  states_ = std::move(snapshot->states);
  states_end_ = snapshot->end_offset;
  uncommitted_.clear();
  return [fs = dependencies_.fs, directory = replica_->log()->options().directory, state] {
    return WriteProducerSnapshot(*fs, directory, state);
  };
}

void ShardPartition::OnLeader(NodeId leader) {
  if (dependencies_.on_leader) dependencies_.on_leader(leader);
}

// ---- read ----

absl::Status ShardPartition::OffsetOutOfRange(Offset asked) const {
  const Offset start = log_start();
  const Offset end = std::max(high_watermark(), start);
  return base::MakeError(
      absl::StatusCode::kOutOfRange,
      base::StrCat("offset ", asked.value(), " is outside of the log, which holds [", start.value(),
                   ", ", end.value(), ")"),
      base::reason::kOffsetOutOfRange,
      {{"offset", base::StrCat(asked.value())},
       {"log_start", base::StrCat(start.value())},
       {"high_watermark", base::StrCat(end.value())}});
}

absl::StatusOr<FetchResult> ShardPartition::Fetch(Offset from, size_t max_bytes) {
  CAIRN_RETURN_IF_ERROR(CheckOpen());
  const auto log = replica_->log();
  FetchResult result;
  result.log_start = log->start_offset();
  // The disk may have reset the log a moment ago, and OnCommitted not be told yet.
  result.high_watermark = std::max(high_watermark(), result.log_start);
  if (from > result.high_watermark || from < result.log_start) return OffsetOutOfRange(from);
  auto entries = log->Read(from, result.high_watermark, max_bytes);
  if (absl::IsOutOfRange(entries.status())) return OffsetOutOfRange(from);  // retention was faster
  if (!entries.ok()) return entries.status();
  result.entries = *std::move(entries);
  return result;
}

void ShardPartition::CountConsumed(uint64_t records, uint64_t bytes) {
  counters_.consumed_records.Add(records);
  counters_.consumed_bytes.Add(bytes);
}

absl::StatusOr<Offset> ShardPartition::OffsetForTimestamp(int64_t timestamp_ms) {
  CAIRN_RETURN_IF_ERROR(CheckOpen());
  return replica_->log()->OffsetForTimestamp(timestamp_ms, high_watermark());
}

Partition::WaitId ShardPartition::WaitForData(Offset from, WaitCallback ready) {
  const WaitId id = next_wait_.fetch_add(1, std::memory_order_relaxed);
  dependencies_.loop->Post(
      [self = shared_from_this(), from, id, ready = std::move(ready)]() mutable {
        if (absl::Status status = self->CheckOpen(); !status.ok()) {
          ready(std::move(status));
        } else if (self->high_watermark() > from) {
          ready(absl::OkStatus());
        } else {
          self->readers_.emplace(std::make_pair(from, id), std::move(ready));
          self->reader_offsets_.emplace(id, from);
        }
      });
  return id;
}

void ShardPartition::CancelWait(WaitId wait) {
  dependencies_.loop->Post([self = shared_from_this(), wait] {
    const auto it = self->reader_offsets_.find(wait);
    if (it == self->reader_offsets_.end()) return;
    auto reader = self->readers_.extract(std::make_pair(it->second, wait));
    self->reader_offsets_.erase(it);
    reader.mapped()(absl::CancelledError("the wait was cancelled"));
  });
}

void ShardPartition::ReadBarrier(absl::AnyInvocable<void(absl::Status)> done) {
  dependencies_.loop->Post([self = shared_from_this(), done = std::move(done)]() mutable {
    if (absl::Status status = self->CheckOpen(); !status.ok()) return done(std::move(status));
    self->replica_->ReadBarrier(std::move(done));
  });
}

void ShardPartition::WakeReaders() {
  const Offset committed = high_watermark();
  while (!readers_.empty() && readers_.begin()->first.first < committed) {
    auto reader = readers_.extract(readers_.begin());
    reader_offsets_.erase(reader.key().second);
    reader.mapped()(absl::OkStatus());
  }
}

// ---- the rest ----

void ShardPartition::ChangeSettings(const TopicSettings& settings) {
  {
    base::MutexLock lock(mutex_);
    if (settings_ == settings) return;
    settings_ = settings;
  }
  dependencies_.loop->Post([self = shared_from_this(), settings] {
    self->replica_->RunOnLog(
        [settings](log::Log& log) {
          log.SetLimits(static_cast<uint64_t>(settings.segment_bytes), settings.segment_ms);
          return absl::OkStatus();
        },
        [](const absl::Status&) {});
  });
}

void ShardPartition::ApplyRetention() {
  dependencies_.loop->Post([self = shared_from_this()] {
    if (!self->CheckOpen().ok()) return;
    const TopicSettings settings = self->settings();
    self->replica_->RunOnLog(
        [policy = log::RetentionPolicy{settings.retention_bytes, settings.retention_ms},
         limit = self->high_watermark()](log::Log& log) {
          return log.ApplyRetention(policy, limit);
        },
        // A failure leaves the log as it was or fails it, which the replica sees; the next round
        // tries again.
        [](const absl::Status&) {});
  });
}

void ShardPartition::MaybeSnapshotProducers(bool now) {
  if (!now || bytes_since_snapshot_ == 0 || !uncommitted_.empty()) return;
  bytes_since_snapshot_ = 0;
  replica_->RunOnLog(
      [fs = dependencies_.fs, encoded = states_.Encode(high_watermark())](log::Log& log) {
        return WriteProducerSnapshot(*fs, log.options().directory, encoded);
      },
      [](const absl::Status&) {});  // a cache: without it a restart replays more
}

void ShardPartition::DropWaiting() {
  const auto gathered = std::exchange(gathered_, {});
  const auto waiters = std::exchange(waiters_, {});
  const auto readers = std::exchange(readers_, {});
  replica_->DropWaiting();
}

void ShardPartition::Stop(absl::Status reason, absl::AnyInvocable<void(absl::Status)> done) {
  {
    base::MutexLock lock(mutex_);
    closed_ = reason;
  }
  dependencies_.loop->Post(
      [self = shared_from_this(), reason = std::move(reason), done = std::move(done)]() mutable {
        while (!self->readers_.empty()) {
          auto reader = self->readers_.extract(self->readers_.begin());
          reader.mapped()(reason);
        }
        self->reader_offsets_.clear();
        self->PlaceGathered();
        self->MaybeSnapshotProducers(true);
        self->replica_->Stop([self, done = std::move(done)](absl::Status status) mutable {
          self->OnAbandoned(absl::UnavailableError("the broker is stopping"));
          done(std::move(status));
        });
      });
}

}  // namespace cairn::broker
