#include "cairn/producer.h"

#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "base/error_info.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "cairn/admin.h"
#include "client/partition_sender.h"
#include "client/partitioner.h"

namespace cairn {
namespace {

using client::PartitionSender;
using client::SenderContext;
using client::SteadyTime;

// Half of what a broker remembers of a producer (its window of idempotence).
constexpr int kMaxInFlight = 256;
constexpr size_t kMinBatchBytes = 1 << 10;
constexpr size_t kMaxBatchBytes = 32 << 20;
constexpr int64_t kMaxTimeMs = 24LL * 3600 * 1000;
// How long closing streams may take before the producer stops waiting for them.
constexpr auto kCloseTimeout = std::chrono::seconds(5);

absl::Status CheckRange(std::string_view option, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return absl::InvalidArgumentError(
      base::StrCat(option, " is ", value, "; expected ", low, " to ", high));
}

absl::Status Check(const ProducerOptions& options) {
  CAIRN_RETURN_IF_ERROR(CheckRange("linger_ms", options.linger_ms, 0, kMaxTimeMs));
  CAIRN_RETURN_IF_ERROR(CheckRange("batch_bytes", static_cast<int64_t>(options.batch_bytes),
                                   kMinBatchBytes, kMaxBatchBytes));
  CAIRN_RETURN_IF_ERROR(CheckRange("max_in_flight", options.max_in_flight, 1, kMaxInFlight));
  CAIRN_RETURN_IF_ERROR(CheckRange("buffer_bytes", static_cast<int64_t>(options.buffer_bytes),
                                   static_cast<int64_t>(options.batch_bytes), int64_t{1} << 40));
  CAIRN_RETURN_IF_ERROR(
      CheckRange("delivery_timeout_ms", options.delivery_timeout_ms, 1, kMaxTimeMs));
  if (options.codec != Codec::kNone && options.codec != Codec::kLz4 &&
      options.codec != Codec::kZstd) {
    return absl::InvalidArgumentError("codec is not one of none, lz4, zstd");
  }
  return absl::OkStatus();
}

int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

class Producer::Impl {
 public:
  Impl(std::unique_ptr<SenderContext> context,
       std::vector<std::unique_ptr<PartitionSender>> senders, size_t max_record_bytes)
      : context_(std::move(context)),
        senders_(std::move(senders)),
        max_record_bytes_(max_record_bytes),
        timer_([this] { RunTimer(); }) {}

  ~Impl() {
    for (const auto& sender : senders_) {
      sender->Abandon(absl::CancelledError("the producer was destroyed before Flush"));
    }
    context_->budget.Close();
    context_->open_calls->WaitForNone();
    {
      base::MutexLock lock(context_->timer_mutex);
      context_->timer_stops = true;
      context_->timer_alarm.NotifyOne();
    }
    timer_.join();
  }

  absl::Status Produce(const Record& record, DeliveryCallback done) {
    size_t size = (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0);
    const size_t payload = size;
    for (const Header& header : record.headers) {
      size +=
          log::MaxEncodedRecordSize(header.name.size(), header.value ? header.value->size() : 0);
    }
    if (size > max_record_bytes_) [[unlikely]] {
      return base::MakeError(
          absl::StatusCode::kInvalidArgument,
          base::StrCat("the record has ", size, " bytes; topic '", context_->options.topic,
                       "' takes up to ", max_record_bytes_),
          base::reason::kRecordTooLarge,
          {{"limit_bytes", base::StrCat(max_record_bytes_)}, {"size_bytes", base::StrCat(size)}});
    }
    const size_t encoded_bytes = log::MaxEncodedRecordSize(payload, 0) + (size - payload);
    const int64_t timestamp_ms = record.timestamp_ms != 0 ? record.timestamp_ms : NowMs();
    return Choose(record).Produce(record, encoded_bytes, timestamp_ms, std::move(done));
  }

  absl::Status Flush(int64_t timeout_ms) {
    const SteadyTime deadline = Deadline(timeout_ms);
    std::vector<uint64_t> targets;
    targets.reserve(senders_.size());
    for (const auto& sender : senders_) targets.push_back(sender->Seal());
    base::MutexLock lock(context_->settled_mutex);
    for (size_t i = 0; i < senders_.size();) {
      if (senders_[i]->DeliveredBelow(targets[i])) {
        ++i;
      } else if (!WaitUntil(deadline)) {
        return absl::DeadlineExceededError(
            base::StrCat("records still wait for acknowledgement after ", timeout_ms, " ms"));
      }
    }
    return std::exchange(context_->first_failure, absl::OkStatus());
  }

  absl::Status Close(int64_t timeout_ms) {
    absl::Status status = Flush(timeout_ms);
    for (const auto& sender : senders_) sender->FinishStream();
    WaitForStreams();
    for (const auto& sender : senders_)
      sender->Abandon(absl::CancelledError("the producer was closed"));
    return status;
  }

  int32_t partition_count() const { return context_->partition_count; }

 private:
  PartitionSender& Choose(const Record& record) {
    const ProducerOptions& options = context_->options;
    int32_t partition = options.partition;
    if (options.partitioning == Partitioning::kKeyHash && record.key) {
      partition = client::PartitionForKey(*record.key, context_->partition_count);
    } else if (options.partitioning != Partitioning::kFixed) {
      partition = context_->sticky_partition.load(std::memory_order_relaxed);
    }
    return *senders_[static_cast<size_t>(partition)];
  }

  static SteadyTime Deadline(int64_t timeout_ms) {
    if (timeout_ms < 0) return SteadyTime::max();
    return std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  }

  // False when `deadline` has passed.
  bool WaitUntil(SteadyTime deadline) CAIRN_REQUIRES(context_->settled_mutex) {
    if (deadline == SteadyTime::max()) {
      context_->settled.Wait(context_->settled_mutex);
      return true;
    }
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left <= left.zero()) return false;
    context_->settled.WaitFor(context_->settled_mutex, left);
    return true;
  }

  void WaitForStreams() {
    const SteadyTime deadline = std::chrono::steady_clock::now() + kCloseTimeout;
    base::MutexLock lock(context_->settled_mutex);
    for (size_t i = 0; i < senders_.size();) {
      if (senders_[i]->StreamClosed()) {
        ++i;
      } else if (!WaitUntil(deadline)) {
        return;
      }
    }
  }

  // Ends lingering, reconnects, and fails what is overdue.
  void RunTimer() {
    while (true) {
      context_->timer_wakes_at = SteadyTime::max();  // who calls from here on is heard below
      SteadyTime next = SteadyTime::max();
      const SteadyTime now = std::chrono::steady_clock::now();
      for (const auto& sender : senders_) next = std::min(next, sender->Tick(now));
      base::MutexLock lock(context_->timer_mutex);
      if (!context_->timer_called && !context_->timer_stops) {
        context_->timer_wakes_at = next;
        if (next == SteadyTime::max()) {
          context_->timer_alarm.Wait(context_->timer_mutex);
        } else {
          const auto left = next - std::chrono::steady_clock::now();
          if (left > left.zero()) context_->timer_alarm.WaitFor(context_->timer_mutex, left);
        }
      }
      context_->timer_called = false;
      if (context_->timer_stops) return;
    }
  }

  const std::unique_ptr<SenderContext> context_;
  const std::vector<std::unique_ptr<PartitionSender>> senders_;
  const size_t max_record_bytes_;
  std::thread timer_;
};

absl::StatusOr<std::unique_ptr<Producer>> Producer::Create(std::shared_ptr<Client> client,
                                                           ProducerOptions options) {
  CAIRN_RETURN_IF_ERROR(Check(options));
  CAIRN_ASSIGN_OR_RETURN(const TopicInfo topic, Admin(client).DescribeTopic(options.topic));
  if (options.partitioning == Partitioning::kFixed &&
      (options.partition < 0 || options.partition >= topic.partition_count)) {
    return base::MakeError(absl::StatusCode::kNotFound,
                           base::StrCat("topic '", options.topic, "' has partitions 0 to ",
                                        topic.partition_count - 1, ", not ", options.partition),
                           base::reason::kUnknownPartition,
                           {{"partition_count", base::StrCat(topic.partition_count)}});
  }
  if (topic.partition_count < 1) {
    return absl::InternalError("the broker described a topic without partitions");
  }
  std::optional<client::ProducerIdentity> identity;
  if (options.idempotent) {
    CAIRN_ASSIGN_OR_RETURN(identity, client::AllocateProducerId(client->impl(), options.topic));
  }
  constexpr int64_t kDefaultMaxRecordBytes = 1 << 20;
  const auto max_batch_bytes =
      static_cast<size_t>(topic.settings.max_batch_bytes.value_or(int64_t{8} << 20));
  const auto max_record_bytes =
      static_cast<size_t>(topic.settings.max_record_bytes.value_or(kDefaultMaxRecordBytes));
  const size_t batch_bytes = std::min(options.batch_bytes, max_batch_bytes);
  // One record always fits, whatever the topic allows.
  options.buffer_bytes =
      std::max(options.buffer_bytes, log::MaxEncodedRecordSize(max_record_bytes, 0) * 2);

  auto context =
      std::make_unique<SenderContext>(std::move(client), std::move(options), topic.partition_count);
  std::vector<std::unique_ptr<PartitionSender>> senders;
  senders.reserve(static_cast<size_t>(topic.partition_count));
  for (int32_t i = 0; i < topic.partition_count; ++i) {
    senders.push_back(std::make_unique<PartitionSender>(*context, i, identity, batch_bytes));
  }
  return std::unique_ptr<Producer>(new Producer(
      std::make_unique<Impl>(std::move(context), std::move(senders), max_record_bytes)));
}

Producer::Producer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Producer::~Producer() = default;

absl::Status Producer::Produce(const Record& record) { return impl_->Produce(record, nullptr); }
absl::Status Producer::Produce(const Record& record, DeliveryCallback done) {
  return impl_->Produce(record, std::move(done));
}
absl::Status Producer::Flush(int64_t timeout_ms) { return impl_->Flush(timeout_ms); }
absl::Status Producer::Close(int64_t timeout_ms) { return impl_->Close(timeout_ms); }
int32_t Producer::partition_count() const { return impl_->partition_count(); }

}  // namespace cairn
