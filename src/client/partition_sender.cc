#include "client/partition_sender.h"

#include <algorithm>
#include <iterator>
#include <limits>

#include "api/status_codec.h"
#include "base/error_info.h"
#include "base/strings.h"
#include "log/v1/log.pb.h"

namespace cairn::client {
namespace {

// The largest epoch the store can hold (int16).
constexpr int32_t kMaxEpoch = std::numeric_limits<int16_t>::max();
// How soon to look again when the oldest batch has expired and its stream is being cancelled.
constexpr auto kExpiryRecheck = std::chrono::milliseconds(100);
// How often a stream that works looks whether its broker still leads, and how old the answer may
// be.
constexpr auto kLookEvery = std::chrono::milliseconds(500);
constexpr auto kLeaderAge = std::chrono::seconds(5);

thread_local bool inside_callback = false;

SteadyTime Now() { return std::chrono::steady_clock::now(); }

}  // namespace

bool InsideCallback() { return inside_callback; }

void SenderContext::WakeTimerBy(SteadyTime when) {
  if (when >= timer_wakes_at.load()) return;
  base::MutexLock lock(timer_mutex);
  timer_called = true;
  timer_alarm.NotifyOne();
}

void SenderContext::NotifySettled() {
  base::MutexLock lock(settled_mutex);
  settled.NotifyAll();
}

PartitionSender::PartitionSender(SenderContext& context, int32_t partition,
                                 std::optional<ProducerIdentity> identity, size_t batch_bytes)
    : context_(context), partition_(partition), batch_bytes_(batch_bytes), identity_(identity) {}

absl::Status PartitionSender::Produce(const Record& record, size_t encoded_bytes,
                                      int64_t timestamp_ms, DeliveryCallback done) {
  const size_t batch_budget = std::max(batch_bytes_, encoded_bytes);
  bool has_budget = false;
  while (true) {
    bool pump = false;
    bool added = false;
    {
      base::MutexLock lock(mutex_);
      if (abandoned_) {
        if (has_budget) context_.budget.Give(batch_budget);
        return absl::FailedPreconditionError("the producer is closed");
      }
      if (open_ != nullptr && open_->size_bytes() + encoded_bytes > batch_bytes_) {
        SealLocked();
        pump = true;
      }
      if (open_ == nullptr) {
        if (!has_budget) has_budget = context_.budget.TryTake(batch_budget);
        if (has_budget) {
          has_budget = false;
          const SteadyTime now = Now();
          // As much as the last batch took, and a little more: a slow producer does not pay for a
          // full batch.
          open_ = std::make_shared<PendingBatch>(
              next_number_++, now,
              std::clamp(last_batch_bytes_ + last_batch_bytes_ / 8, encoded_bytes, batch_budget));
          open_->budget_bytes = batch_budget;
          const int64_t wait_ms = context_.options.linger_ms > 0
                                      ? context_.options.linger_ms
                                      : context_.options.delivery_timeout_ms;
          context_.WakeTimerBy(now + std::chrono::milliseconds(wait_ms));
        }
      }
      if (open_ != nullptr) {
        open_->Add(record, timestamp_ms, std::move(done));
        added = true;
        if (open_->size_bytes() >= batch_bytes_) {
          SealLocked();
          pump = true;
        }
        pump = pump || context_.options.linger_ms == 0;
      }
    }
    if (pump) Pump();
    if (added) {
      if (has_budget)
        context_.budget.Give(batch_budget);  // another thread opened the batch meanwhile
      return absl::OkStatus();
    }
    if (context_.options.when_full == WhenFull::kFail || InsideCallback()) {
      return absl::ResourceExhaustedError(base::StrCat(
          "the producer's buffer is full: ", context_.budget.limit_bytes(),
          " bytes wait for acknowledgement; produce more slowly or raise buffer_bytes"));
    }
    has_budget = context_.budget.Take(batch_budget);
  }
}

uint64_t PartitionSender::Seal() {
  uint64_t number = 0;
  {
    base::MutexLock lock(mutex_);
    if (open_ != nullptr) SealLocked();
    number = next_number_;
  }
  Pump();
  return number;
}

bool PartitionSender::DeliveredBelow(uint64_t number) {
  base::MutexLock lock(mutex_);
  const auto below = [number](const BatchPtr& batch) { return batch->number() < number; };
  return !(open_ != nullptr && below(open_)) && std::none_of(over_.begin(), over_.end(), below) &&
         std::none_of(retry_.begin(), retry_.end(), below) &&
         std::none_of(queue_.begin(), queue_.end(), below);
}

SteadyTime PartitionSender::DeliveryDeadline(const PendingBatch& batch) const {
  return batch.opened() + std::chrono::milliseconds(context_.options.delivery_timeout_ms);
}

SteadyTime PartitionSender::Tick(SteadyTime now) {
  SteadyTime next = SteadyTime::max();
  bool pump = false;
  {
    base::MutexLock lock(mutex_);
    if (open_ != nullptr && context_.options.linger_ms > 0) {
      const SteadyTime due =
          open_->opened() + std::chrono::milliseconds(context_.options.linger_ms);
      if (due <= now) {
        SealLocked();
        pump = true;
      } else {
        next = due;
      }
    }
    if (resume_at_ && *resume_at_ <= now) {
      resume_at_.reset();
      pump = true;
    } else if (resume_at_) {
      next = std::min(next, *resume_at_);
    }
    const PendingBatch* oldest = !retry_.empty()   ? retry_.front().get()
                                 : !queue_.empty() ? queue_.front().get()
                                                   : open_.get();
    if (oldest != nullptr && DeliveryDeadline(*oldest) <= now) {
      if (stream_ != nullptr && sent_ > 0) {
        if (!broken_) stream_->Cancel();  // OnClosed fails what has expired
        expiring_ = true;
        next = std::min(next, now + kExpiryRecheck);
      } else {
        if (open_ != nullptr) SealLocked();
        Requeue();
        FailExpired(now);
        draining_ = false;
      }
    } else if (oldest != nullptr) {
      next = std::min(next, DeliveryDeadline(*oldest));
    }
  }
  if (pump) Pump();
  DeliverOver();
  return next;
}

void PartitionSender::FinishStream() {
  ProduceStream* stream = nullptr;
  {
    base::MutexLock lock(mutex_);
    finishing_ = true;
    stream = StreamToFinish();
  }
  if (stream != nullptr) stream->Finish();
}

ProduceStream* PartitionSender::StreamToFinish() {
  if (!finishing_ || finished_ || stream_ == nullptr || broken_ || write_busy_) return nullptr;
  finished_ = true;
  write_busy_ = true;
  stream_->BeginWrite();
  return stream_;
}

bool PartitionSender::StreamClosed() {
  base::MutexLock lock(mutex_);
  return stream_ == nullptr;
}

void PartitionSender::Abandon(const absl::Status& status) {
  {
    base::MutexLock lock(mutex_);
    abandoned_ = true;
    if (open_ != nullptr) SealLocked();
    FailAll(status);
    if (stream_ != nullptr) stream_->Cancel();
  }
  DeliverOver();
}

void PartitionSender::OnWritten(bool ok) {
  ProduceStream* stream = nullptr;
  {
    base::MutexLock lock(mutex_);
    write_busy_ = false;
    writing_.reset();
    if (!ok) broken_ = true;
    MoveIfAnswered();
    stream = StreamToFinish();
  }
  if (stream != nullptr) {
    stream->Finish();
  } else {
    Pump();
  }
}

void PartitionSender::OnResponse(const logapi::v1::ProduceResponse& response) {
  {
    base::MutexLock lock(mutex_);
    if (abandoned_) return;
    if (sent_ == 0) {  // an answer to nothing: whoever this is, it is not a broker
      stream_->Cancel();
      return;
    }
    if (response.has_error()) {
      Refuse(api::FromErrorMessage(response.error()));
    } else {
      Acknowledge(response.offset());
    }
    EndDrainIfAnswered();
    MoveIfAnswered();
  }
  // First let the next request go, then tell the application: its callbacks may take a while.
  Pump();
  DeliverOver();
}

void PartitionSender::OnBroken() {
  base::MutexLock lock(mutex_);
  broken_ = true;
}

void PartitionSender::OnClosed(absl::Status status) {
  bool moved = false;
  {
    base::MutexLock lock(mutex_);
    // Nothing was lost: we closed it ourselves, to open another one.
    moved = std::exchange(moving_, false) && sent_ == 0 && retry_.empty();
    const bool expected = moved || expiring_ || abandoned_ || (finished_ && status.ok());
    if (!expected) {
      context_.client->impl().brokers().Failed(stream_address_, context_.options.topic, partition_,
                                               status);
    }
    stream_ = nullptr;
    broken_ = false;
    write_busy_ = false;
    writing_.reset();
    Requeue();
    draining_ = false;
    if (!queue_.empty() && !moved) {
      // What our own cancelling says is no reason for anything.
      if (!expiring_) last_error_ = context_.client->impl().Translate(std::move(status));
      if (expiring_ || IsTransientForStream(last_error_)) {
        FailExpired(Now());
        PauseLocked();
      } else {
        FailAll(last_error_);
      }
    }
    expiring_ = false;
  }
  if (moved) Pump();
  DeliverOver();
  context_.NotifySettled();
}

void PartitionSender::Pump() {
  BatchPtr batch;
  ProduceStream* stream = nullptr;
  std::optional<ProducerIdentity> identity;
  {
    base::MutexLock lock(mutex_);
    batch = NextToWrite();
    if (batch == nullptr) return;
    stream = stream_;
    identity = identity_;
  }
  batch->BuildRequest(context_.options.topic, partition_, context_.options.codec, identity);
  stream->Write(batch->request());
}

PartitionSender::BatchPtr PartitionSender::NextToWrite() {
  if (abandoned_ || finishing_ || draining_ || write_busy_ || broken_ || resume_at_ || moving_) {
    return nullptr;
  }
  if (sent_ >= static_cast<size_t>(context_.options.max_in_flight)) return nullptr;
  if (sent_ == queue_.size()) {
    if (open_ == nullptr || context_.options.linger_ms > 0) return nullptr;
    SealLocked();
  }
  if (ShouldMove()) {
    moving_ = true;
    MoveIfAnswered();
    return nullptr;
  }
  if (stream_ == nullptr) {
    const Broker broker =
        context_.client->impl().brokers().Leader(context_.options.topic, partition_);
    stream_address_ = broker.address;
    answered_ = false;
    stream_ = ProduceStream::Start(broker.channel, *this, context_.open_calls);
  }
  BatchPtr batch = queue_[sent_++];
  ++batch->tries;
  batch->refusal = absl::OkStatus();
  if (identity_ && batch->base_sequence < 0) {
    batch->base_sequence = next_sequence_;
    next_sequence_ = static_cast<int32_t>(
        (static_cast<uint32_t>(next_sequence_) + batch->record_count()) & 0x7fffffff);
  }
  write_busy_ = true;
  writing_ = batch;
  stream_->BeginWrite();
  return batch;
}

bool PartitionSender::ShouldMove() {
  if (stream_ == nullptr) return false;
  const SteadyTime now = Now();
  if (now - kLookEvery < looked_at_) return false;
  looked_at_ = now;
  Brokers& brokers = context_.client->impl().brokers();
  brokers.RefreshIfOlder(context_.options.topic, kLeaderAge);
  if (const auto leader = brokers.KnownLeader(context_.options.topic, partition_)) {
    return leader->address != stream_address_;
  }
  // Nobody is known to lead: whoever takes requests is right, unless it has just refused one.
  return failures_ > 0 && brokers.Any().address != stream_address_;
}

void PartitionSender::MoveIfAnswered() {
  if (!moving_ || sent_ > 0 || write_busy_ || broken_ || stream_ == nullptr) return;
  stream_->Cancel();
}

void PartitionSender::SealLocked() {
  last_batch_bytes_ = open_->size_bytes();
  if (open_->budget_bytes > last_batch_bytes_) {
    context_.budget.Give(open_->budget_bytes - last_batch_bytes_);
    open_->budget_bytes = last_batch_bytes_;
  }
  queue_.push_back(std::move(open_));
  open_ = nullptr;
  int32_t here = partition_;
  context_.sticky_partition.compare_exchange_strong(here,
                                                    (partition_ + 1) % context_.partition_count);
}

void PartitionSender::Acknowledge(uint64_t base_offset) {
  BatchPtr batch = std::move(queue_.front());
  queue_.pop_front();
  --sent_;
  failures_ = 0;
  if (!std::exchange(answered_, true)) context_.client->impl().brokers().Worked(stream_address_);
  Over(std::move(batch), absl::OkStatus(), base_offset);
}

void PartitionSender::Refuse(const absl::Status& status) {
  BatchPtr batch = std::move(queue_.front());
  queue_.pop_front();
  --sent_;
  if (IsTransient(status)) {
    context_.client->impl().brokers().Refused(stream_address_, context_.options.topic, partition_,
                                              status);
    looked_at_ = SteadyTime::min();
    last_error_ = status;
    draining_ = true;
    batch->refusal = status;
    retry_.push_back(std::move(batch));
    return;
  }
  const auto info = base::GetErrorInfo(status);
  const std::string reason = info ? info->reason : std::string();
  const bool gap =
      reason == base::reason::kOutOfOrderSequence || reason == base::reason::kUnknownProducer;
  if (identity_ && gap && (draining_ || batch->tries == 1)) {
    // Either a batch before it was refused, or the broker has forgotten us; this one was never
    // stored.
    needs_epoch_ = needs_epoch_ || !draining_;
    draining_ = true;
    retry_.push_back(std::move(batch));
    return;
  }
  // Refused for good. Those behind it continue a sequence that now has a hole.
  if (identity_ && reason != base::reason::kDuplicateSequence) {
    needs_epoch_ = true;
    draining_ = true;
  }
  Over(std::move(batch), status, 0);
}

void PartitionSender::Over(BatchPtr batch, absl::Status status, uint64_t base_offset) {
  batch->outcome = std::move(status);
  batch->base_offset = base_offset;
  over_.push_back(std::move(batch));
}

void PartitionSender::EndDrainIfAnswered() {
  if (!draining_ || sent_ > 0) return;
  const bool must_wait = !retry_.empty() && !last_error_.ok();
  Requeue();
  draining_ = false;
  if (must_wait) PauseLocked();
}

void PartitionSender::PauseLocked() {
  if (queue_.empty()) return;
  resume_at_ = Now() + BackOff(failures_++);
  context_.WakeTimerBy(*resume_at_);
}

void PartitionSender::Requeue() {
  queue_.insert(queue_.begin(), std::make_move_iterator(retry_.begin()),
                std::make_move_iterator(retry_.end()));
  retry_.clear();
  sent_ = 0;
  if (needs_epoch_) NewEpoch();
}

void PartitionSender::FailExpired(SteadyTime now) {
  bool hole = false;
  while (!queue_.empty() && DeliveryDeadline(*queue_.front()) <= now) {
    BatchPtr batch = std::move(queue_.front());
    queue_.pop_front();
    hole = hole || batch->base_sequence >= 0;
    // Refused by the broker until now: say why, and that it is not stored. Else nobody knows.
    absl::Status why = batch->refusal;
    if (why.ok()) {
      why = absl::DeadlineExceededError(
          base::StrCat("not acknowledged within ", context_.options.delivery_timeout_ms,
                       " ms; the records may be stored or not. Last error: ",
                       last_error_.ok() ? "none" : base::StdView(last_error_.message())));
    }
    Over(std::move(batch), std::move(why), 0);
  }
  if (hole) NewEpoch();
}

void PartitionSender::FailAll(const absl::Status& status) {
  Requeue();
  for (BatchPtr& batch : queue_) Over(std::move(batch), status, 0);
  queue_.clear();
  NewEpoch();
}

void PartitionSender::NewEpoch() {
  needs_epoch_ = false;
  if (!identity_) return;
  if (identity_->epoch == kMaxEpoch) {
    abandoned_ = true;
    for (BatchPtr& batch : queue_) {
      Over(std::move(batch),
           absl::ResourceExhaustedError(
               "32768 batches of this producer were refused; create a new one"),
           0);
    }
    queue_.clear();
    return;
  }
  ++identity_->epoch;
  next_sequence_ = 0;
  for (const BatchPtr& batch : queue_) batch->base_sequence = -1;
}

void PartitionSender::DeliverOver() {
  while (true) {
    BatchPtr batch;
    {
      base::MutexLock lock(mutex_);
      if (delivering_ || over_.empty()) return;
      delivering_ = true;
      batch =
          over_.front();  // stays in over_ until its callbacks have returned: Flush waits for them
    }
    context_.budget.Give(batch->budget_bytes);
    const bool was_inside = inside_callback;
    inside_callback = true;
    batch->Deliver(context_.options.on_batch, partition_);
    inside_callback = was_inside;
    {
      base::MutexLock lock(mutex_);
      over_.pop_front();
      delivering_ = false;
    }
    base::MutexLock lock(context_.settled_mutex);
    if (!batch->outcome.ok() && context_.first_failure.ok()) {
      context_.first_failure = batch->outcome;
    }
    context_.settled.NotifyAll();
  }
}

}  // namespace cairn::client
