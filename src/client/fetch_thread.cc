#include "client/fetch_thread.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/sync_stream.h>

#include <chrono>
#include <utility>

#include "client/client_impl.h"
#include "log/v1/log.grpc.pb.h"

namespace cairn::client {
namespace {

using std::chrono::steady_clock;

// Responses kept for reuse: one being read by the application, one being filled, and the queue's
// usual depth.
constexpr size_t kMaxSpare = 4;

logapi::v1::ConsumeRequest MakeRequest(const ConsumerOptions& options,
                                       std::optional<uint64_t> next_offset) {
  logapi::v1::ConsumeRequest request;
  request.set_topic(options.topic);
  request.set_partition(options.partition);
  request.set_as_batches(true);
  request.set_max_bytes(options.response_bytes);
  request.set_stop_at_end(options.stop_at_end);
  if (options.linearizable) request.set_consistency(logapi::v1::CONSISTENCY_LINEARIZABLE);
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

FetchThread::FetchThread(std::shared_ptr<Client> client, ConsumerOptions options)
    : client_(std::move(client)), options_(std::move(options)), thread_([this] { Run(); }) {}

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

absl::Status FetchThread::ReadStream() {
  logapi::v1::Log::Stub stub(client_->impl().channel());
  grpc::ClientContext context;
  {
    base::MutexLock lock(mutex_);
    if (cancelled_) return absl::OkStatus();
    context_ = &context;
  }
  const auto stream = stub.ConsumeStream(&context, MakeRequest(options_, next_offset_));
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
  auto alive_at = steady_clock::now();
  int failures = 0;
  while (true) {
    progress_ = false;
    absl::Status ended = ReadStream();
    if (progress_) {
      alive_at = steady_clock::now();
      failures = 0;
    }
    const bool at_end = ended.ok() && options_.stop_at_end;
    const bool give_up =
        options_.reconnect_timeout_ms >= 0 &&
        steady_clock::now() - alive_at >= std::chrono::milliseconds(options_.reconnect_timeout_ms);

    base::MutexLock lock(mutex_);
    if (!cancelled_ && !at_end && !give_up && IsTransientForStream(ended)) {
      const auto resume = steady_clock::now() + BackOff(failures++);
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
