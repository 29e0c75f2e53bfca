#include "client/rpc_load.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <optional>
#include <vector>

#include "api/status_codec.h"
#include "base/mutex.h"
#include "client/client_impl.h"
#include "log/v1/log.grpc.pb.h"

namespace cairn::client {
namespace {

using logapi::v1::Log;
using std::chrono::steady_clock;

// A window of requests is sent in this many pieces.
constexpr size_t kBursts = 4;

uint64_t NsSince(steady_clock::time_point start) {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(steady_clock::now() - start).count());
}

// How far a run is: decides whether another request may begin, and waits for the last one.
// Thread-safe.
class Run {
 public:
  explicit Run(const LoadOptions& options) : options_(options) {}

  // Whether to begin one more; it then ends with Ended or Failed.
  bool Begin() {
    base::MutexLock lock(mutex_);
    return BeginLocked();
  }

  // Notes an answer and says whether to begin another request in its place.
  bool EndedAndBegin(steady_clock::time_point began) {
    base::MutexLock lock(mutex_);
    result_.latency.Add(NsSince(began));
    ++result_.requests;
    --open_;
    if (BeginLocked()) return true;
    if (open_ == 0) done_.NotifyAll();
    return false;
  }

  void Failed(const absl::Status& status) {
    base::MutexLock lock(mutex_);
    if (failure_.ok()) failure_ = status;
    --open_;
    if (open_ == 0) done_.NotifyAll();
  }

  // All that began and never ended has failed.
  void Broken(const absl::Status& status) {
    base::MutexLock lock(mutex_);
    if (failure_.ok() && open_ > 0) failure_ = status;
    open_ = 0;
    done_.NotifyAll();
  }

  absl::StatusOr<LoadResult> Wait() {
    base::MutexLock lock(mutex_);
    while (open_ > 0) done_.Wait(mutex_);
    if (!failure_.ok()) return failure_;
    result_.seconds = static_cast<double>(NsSince(start_)) / 1e9;
    return result_;
  }

 private:
  bool BeginLocked() CAIRN_REQUIRES(mutex_) {
    const bool over =
        !failure_.ok() || (options_.requests > 0 && begun_ >= options_.requests) ||
        (options_.seconds > 0 && static_cast<double>(NsSince(start_)) >= options_.seconds * 1e9) ||
        (options_.stop != nullptr && options_.stop->load());
    if (over) return false;
    ++begun_;
    ++open_;
    return true;
  }

  const LoadOptions& options_;
  const steady_clock::time_point start_ = steady_clock::now();
  base::Mutex mutex_;
  base::CondVar done_;
  uint64_t begun_ CAIRN_GUARDED_BY(mutex_) = 0;
  uint64_t open_ CAIRN_GUARDED_BY(mutex_) = 0;
  LoadResult result_ CAIRN_GUARDED_BY(mutex_);
  absl::Status failure_ CAIRN_GUARDED_BY(mutex_);
};

logapi::v1::ProduceRequest MakeRequest(const LoadOptions& options) {
  logapi::v1::ProduceRequest request;
  request.set_topic(options.topic);
  request.set_partition(options.partition);
  request.mutable_record()->set_value(std::string(options.record_bytes, 'x'));
  return request;
}

// One of the requests in flight: repeats itself until the run is over.
template <typename Request, typename Response>
class UnaryLoop {
 public:
  using Method = void (Log::Stub::async::*)(grpc::ClientContext*, const Request*, Response*,
                                            std::function<void(grpc::Status)>);

  UnaryLoop(Log::Stub& stub, Run& run, Method method, const Request& request)
      : stub_(stub), run_(run), method_(method), request_(request) {}

  void Start() {
    if (run_.Begin()) Send();
  }

 private:
  void Send() {
    context_.emplace();
    began_ = steady_clock::now();
    (stub_.async()->*method_)(&*context_, &request_, &response_,
                              [this](const grpc::Status& status) {
                                if (!status.ok()) {
                                  run_.Failed(api::FromGrpcStatus(status));
                                } else if (run_.EndedAndBegin(began_)) {
                                  Send();
                                }
                              });
  }

  Log::Stub& stub_;
  Run& run_;
  const Method method_;
  const Request& request_;
  Response response_;
  std::optional<grpc::ClientContext> context_;
  steady_clock::time_point began_;
};

template <typename Request, typename Response>
absl::StatusOr<LoadResult> RunUnary(Log::Stub& stub, const LoadOptions& options,
                                    typename UnaryLoop<Request, Response>::Method method,
                                    const Request& request) {
  Run run(options);
  std::deque<UnaryLoop<Request, Response>> loops;
  for (int i = 0; i < options.in_flight; ++i) loops.emplace_back(stub, run, method, request);
  for (auto& loop : loops) loop.Start();
  return run.Wait();
}

// One ProduceStream that keeps in_flight requests unanswered.
class StreamLoop final
    : public grpc::ClientBidiReactor<logapi::v1::ProduceRequest, logapi::v1::ProduceResponse> {
 public:
  StreamLoop(Log::Stub& stub, Run& run, const LoadOptions& options)
      : run_(run), window_(static_cast<size_t>(options.in_flight)), request_(MakeRequest(options)) {
    stub.async()->ProduceStream(&context_, this);
  }

  void Start() {
    AddHold();
    StartRead(&response_);
    StartCall();
    {
      base::MutexLock lock(mutex_);
      while (permits_ < window_ && run_.Begin()) ++permits_;
    }
    WriteMore();
    RemoveHold();  // from here on only what gRPC calls starts anything
  }

  // Ends the stream and waits until gRPC lets go of this.
  void Finish() {
    context_.TryCancel();
    base::MutexLock lock(mutex_);
    while (!closed_) changed_.Wait(mutex_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    {
      base::MutexLock lock(mutex_);
      const bool again = run_.EndedAndBegin(began_.front());
      began_.pop_front();
      if (again) ++permits_;
      over_ = over_ || !again;
    }
    StartRead(&response_);
    WriteMore();
  }

  void OnWriteDone(bool ok) override {
    {
      base::MutexLock lock(mutex_);
      writing_ = false;
    }
    if (ok) WriteMore();
  }

  void OnDone(const grpc::Status& status) override {
    run_.Broken(api::FromGrpcStatus(status));
    base::MutexLock lock(mutex_);
    closed_ = true;
    changed_.NotifyAll();
  }

 private:
  void WriteMore() {
    bool more_to_come = false;
    {
      base::MutexLock lock(mutex_);
      // As a program that has much to send would, it sends a part of the window in one piece.
      const size_t enough = over_ || in_burst_ ? 1 : std::max<size_t>(1, window_ / kBursts);
      if (writing_ || permits_ < enough) return;
      --permits_;
      writing_ = true;
      began_.push_back(steady_clock::now());
      in_burst_ = more_to_come = permits_ > 0;
    }
    // gRPC may hold back what is followed at once by more, and send it in one piece.
    grpc::WriteOptions write;
    if (more_to_come) write.set_buffer_hint();
    StartWrite(&request_, write);
  }

  Run& run_;
  const size_t window_;
  const logapi::v1::ProduceRequest request_;
  logapi::v1::ProduceResponse response_;
  grpc::ClientContext context_;
  base::Mutex mutex_;
  base::CondVar changed_;
  std::deque<steady_clock::time_point> began_
      CAIRN_GUARDED_BY(mutex_);                  // requests without an answer
  size_t permits_ CAIRN_GUARDED_BY(mutex_) = 0;  // requests that have begun and are not written
  bool writing_ CAIRN_GUARDED_BY(mutex_) = false;
  bool in_burst_ CAIRN_GUARDED_BY(mutex_) = false;  // what was written last waits for more
  bool over_ CAIRN_GUARDED_BY(mutex_) = false;
  bool closed_ CAIRN_GUARDED_BY(mutex_) = false;
};

}  // namespace

absl::StatusOr<LoadResult> RunLoad(const Client& client, const LoadOptions& options) {
  Log::Stub stub(client.impl().brokers().Leader(options.topic, options.partition).channel);
  switch (options.kind) {
    case LoadKind::kEmpty:
      return RunUnary<logapi::v1::GetServersRequest, logapi::v1::GetServersResponse>(
          stub, options, &Log::Stub::async::GetServers, {});
    case LoadKind::kUnary:
      return RunUnary<logapi::v1::ProduceRequest, logapi::v1::ProduceResponse>(
          stub, options, &Log::Stub::async::Produce, MakeRequest(options));
    case LoadKind::kStream: {
      Run run(options);
      StreamLoop stream(stub, run, options);
      stream.Start();
      auto result = run.Wait();
      stream.Finish();
      return result;
    }
  }
  return absl::InternalError("unknown kind of load");
}

}  // namespace cairn::client
