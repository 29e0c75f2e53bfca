#include "client/fetch_thread.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/sync_stream.h>

#include <chrono>
#include <utility>

#include "base/trace_context.h"
#include "client/client_impl.h"
#include "log/v1/log.grpc.pb.h"

namespace cairn::client {
namespace {

using std::chrono::steady_clock;

// Responses kept for reuse: one being read by the application, one being filled, and the queue's
// usual depth.
constexpr size_t kMaxSpare = 4;
// How often the leader is looked for when a replica has less than is asked for, and how old the
// answer to who leads may then be.
constexpr int kMaxBehind = 12;
// A stream that lasts this long was connected, though nothing came: there was nothing.
constexpr auto kConnectedFor = std::chrono::seconds(3);
constexpr auto kFetchLeaderAge = std::chrono::milliseconds(200);

logapi::v1::ConsumeRequest MakeRequest(const ConsumerOptions& options, bool linearizable,
                                       std::optional<uint64_t> next_offset) {
  logapi::v1::ConsumeRequest request;
  request.set_topic(options.topic);
  request.set_partition(options.partition);
  request.set_as_batches(true);
  request.set_max_bytes(options.response_bytes);
  request.set_stop_at_end(options.stop_at_end);
  if (linearizable) request.set_consistency(logapi::v1::CONSISTENCY_LINEARIZABLE);
  if (next_offset) {
    request.set_offset(*next_offset);
    return request;
  }
  switch (options.start.kind) {
    case StartAt::Kind::kEarliest:
      request.set_start(logapi::v1::START_POSITION_EARLIEST);
      break;
    case StartAt::Kind::kLatest:
      request.set_start(logapi::v1::START_POSITION_LATEST);
      break;
    case StartAt::Kind::kOffset:
      request.set_offset(static_cast<uint64_t>(options.start.value));
      break;
    case StartAt::Kind::kTimestamp:
      request.set_start(logapi::v1::START_POSITION_TIMESTAMP);
      request.set_timestamp_ms(options.start.value);
      break;
  }
  return request;
}

size_t SizeOf(const logapi::v1::ConsumeResponse& response) {
  size_t bytes = 0;
  for (const auto& batch : response.batches()) bytes += batch.records().size();
  return bytes;
}

}  // namespace

FetchThread::FetchThread(std::shared_ptr<Client> client, ConsumerOptions options, LogRange end)
    : client_(std::move(client)),
      options_(std::move(options)),
      end_(std::move(end)),
      thread_([this] { Run(); }) {}

FetchThread::~FetchThread() {
  Cancel();
  thread_.join();
}

FetchThread::Outcome FetchThread::Take(Response& response, int64_t timeout_ms) {
  base::MutexLock lock(mutex_);
  const auto deadline = steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  while (fetched_.empty() && !over_) {
    if (timeout_ms < 0) {
      changed_.Wait(mutex_);
      continue;
    }
    const auto left = deadline - steady_clock::now();
    if (left <= left.zero()) return Outcome::kTimeout;
    changed_.WaitFor(mutex_, left);
  }
  if (fetched_.empty() || cancelled_) return Outcome::kOver;
  response = std::move(fetched_.front());
  fetched_.pop_front();
  fetched_bytes_ -= SizeOf(*response);
  changed_.NotifyAll();
  return Outcome::kResponse;
}

void FetchThread::Recycle(Response response) {
  base::MutexLock lock(mutex_);
  if (spare_.size() < kMaxSpare) spare_.push_back(std::move(response));
}

bool FetchThread::ready() const {
  base::MutexLock lock(mutex_);
  return !fetched_.empty();
}

absl::Status FetchThread::status() const {
  base::MutexLock lock(mutex_);
  return status_;
}

void FetchThread::Cancel() {
  base::MutexLock lock(mutex_);
  cancelled_ = true;
  if (context_ != nullptr) context_->TryCancel();
  changed_.NotifyAll();
}

FetchThread::Response FetchThread::NewResponse() {
  base::MutexLock lock(mutex_);
  if (spare_.empty()) return std::make_unique<logapi::v1::ConsumeResponse>();
  Response response = std::move(spare_.back());
  spare_.pop_back();
  return response;
}

bool FetchThread::Push(Response response) {
  base::MutexLock lock(mutex_);
  const size_t bytes = SizeOf(*response);
  while (!cancelled_ && !fetched_.empty() && fetched_bytes_ + bytes > options_.prefetch_bytes) {
    changed_.Wait(mutex_);
  }
  if (cancelled_) return false;
  fetched_bytes_ += bytes;
  fetched_.push_back(std::move(response));
  changed_.NotifyAll();
  return true;
}

void FetchThread::Advance(const logapi::v1::ConsumeResponse& response) {
  progress_ = true;
  if (response.batches_size() == 0) return;
  const auto& last = response.batches(response.batches_size() - 1);
  next_offset_ = last.base_offset() + last.record_count();
}

Broker FetchThread::Choose() {
  Brokers& brokers = client_->impl().brokers();
  std::optional<Broker> leader = brokers.KnownLeader(options_.topic, options_.partition);
  linearizable_ = options_.linearizable || want_leader_;
  Broker broker =
      linearizable_ && leader ? *leader : brokers.Replica(options_.topic, options_.partition);
  address_ = broker.address;
  return broker;
}

bool FetchThread::ReachedEnd() const {
  // Who has named the end, or has shown that it leads, cannot be behind it.
  if (linearizable_ || address_ == end_.address) return true;
  if (next_offset_) return *next_offset_ >= end_.high_watermark;
  switch (options_.start.kind) {
    case StartAt::Kind::kOffset:
      return static_cast<uint64_t>(options_.start.value) >= end_.high_watermark;
    case StartAt::Kind::kEarliest:
      return end_.log_start >= end_.high_watermark;
    default:
      return false;
  }
}

bool FetchThread::IsBehind(const absl::Status& ended) const {
  if (linearizable_) return false;
  if (ended.ok()) return options_.stop_at_end && !ReachedEnd();
  return absl::IsOutOfRange(ended) || absl::IsNotFound(ended);
}

absl::Status FetchThread::ReadStream() {
  logapi::v1::Log::Stub stub(Choose().channel);
  grpc::ClientContext context;
  if (base::ParseTraceparent(options_.traceparent)) {
    context.AddMetadata("traceparent", options_.traceparent);
  }
  {
    base::MutexLock lock(mutex_);
    if (cancelled_) return absl::OkStatus();
    context_ = &context;
  }
  const auto stream =
      stub.ConsumeStream(&context, MakeRequest(options_, linearizable_, next_offset_));
  while (true) {
    Response response = NewResponse();
    if (!stream->Read(response.get())) break;
    Advance(*response);
    if (!Push(std::move(response))) {
      context.TryCancel();
      break;
    }
  }
  const grpc::Status status = stream->Finish();
  base::MutexLock lock(mutex_);
  context_ = nullptr;
  return client_->impl().Translate(status);
}

void FetchThread::Run() {
  Brokers& brokers = client_->impl().brokers();
  auto alive_at = steady_clock::now();
  int failures = 0;
  int behind = 0;  // how often in a row a replica had too little
  while (true) {
    progress_ = false;
    const auto began = steady_clock::now();
    absl::Status ended = ReadStream();
    if (progress_ || steady_clock::now() - began >= kConnectedFor) {
      alive_at = steady_clock::now();
      failures = 0;
      brokers.Worked(address_);
    }
    if (next_offset_ && progress_) behind = 0;
    // Who says again that there is no such offset is believed, even without a leader to ask.
    const bool is_behind = IsBehind(ended) && behind < kMaxBehind;
    const bool at_end = ended.ok() && options_.stop_at_end && !is_behind;
    if (is_behind) {
      ++behind;
      want_leader_ = true;
      brokers.RefreshIfOlder(options_.topic, kFetchLeaderAge);
    } else if (!at_end && IsTransientForStream(ended)) {
      want_leader_ = false;
      brokers.Failed(address_, options_.topic, options_.partition, ended);
    }
    const bool give_up =
        options_.reconnect_timeout_ms >= 0 &&
        steady_clock::now() - alive_at >= std::chrono::milliseconds(options_.reconnect_timeout_ms);

    base::MutexLock lock(mutex_);
    if (!cancelled_ && !at_end && !give_up && (is_behind || IsTransientForStream(ended))) {
      // Another broker may have what this one lost: it is asked at once.
      const bool at_once = failures == 0 && brokers.count() > 1;
      const auto pause = at_once ? std::chrono::milliseconds(1) : BackOff(failures);
      ++failures;
      const auto resume = steady_clock::now() + pause;
      while (!cancelled_ && steady_clock::now() < resume) {
        changed_.WaitFor(mutex_, resume - steady_clock::now());
      }
      if (!cancelled_) continue;
    }
    if (cancelled_) {
      ended = absl::CancelledError("the consumer was cancelled");
    } else if (ended.ok() && !at_end) {
      ended = absl::UnavailableError("the broker keeps ending the stream");
    }
    over_ = true;
    status_ = std::move(ended);
    changed_.NotifyAll();
    return;
  }
}

}  // namespace cairn::client
