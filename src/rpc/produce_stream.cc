#include "rpc/produce_stream.h"

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "api/status_codec.h"
#include "base/error_info.h"
#include "base/mutex.h"
#include "base/trace_context.h"
#include "broker/topic.h"
#include "rpc/limits.h"
#include "rpc/produce_codec.h"

namespace cairn::rpc {
namespace {

using logapi::v1::ProduceRequest;
using logapi::v1::ProduceResponse;

// Three kinds of event drive the stream: a request was read, an append was answered (on a shard's
// thread), a response was written. Each changes the state under the mutex and then calls Advance,
// which starts whatever can be started. Only one thread at a time is in Advance's working part, and
// it holds no lock while it calls gRPC, so that no operation can start after Finish.
class ProduceStream final : public grpc::ServerBidiReactor<ProduceRequest, ProduceResponse>,
                            public DrainableStream,
                            public std::enable_shared_from_this<ProduceStream> {
 public:
  ProduceStream(const ServiceContext& context, grpc::CallbackServerContext* call)
      : context_(context), report_(context, call, "/log.v1.Log/ProduceStream") {}

  void Start() {
    self_ = shared_from_this();
    report_.Opened();
    context_.streams.Add(self_);
    Advance([] {});
  }

  void OnReadDone(bool ok) override {
    if (ok) return Accept();
    // The client has sent all it will, or is gone. In the second case writing tells.
    Advance([this]() CAIRN_REQUIRES(mutex_) {
      reading_ = false;
      reads_done_ = true;
    });
  }

  void OnWriteDone(bool ok) override {
    Advance([this, ok]() CAIRN_REQUIRES(mutex_) {
      writing_ = false;
      if (!ok) broken_ = true;
    });
  }

  void OnCancel() override {
    Advance([this]() CAIRN_REQUIRES(mutex_) { broken_ = true; });
  }

  void Drain() override {
    Advance([this]() CAIRN_REQUIRES(mutex_) { draining_ = true; });
  }

  // Each request is checked as it comes.
  void Recheck() override {}

  void OnDone() override {
    context_.streams.Remove(this);
    absl::Status status;
    uint64_t requests = 0;
    uint64_t responses = 0;
    {
      base::MutexLock lock(mutex_);
      status = final_status_;
      requests = next_sequence_;
      responses = first_sequence_;
    }
    report_.Done(status, requests, responses);
    self_.reset();  // answers still on their way from a shard keep the rest of us alive
  }

 private:
  // A request that is traced.
  struct RequestSpan {
    RpcSpan span;
    std::string topic;
    int32_t partition = 0;
    uint32_t records = 0;
  };

  // A request that was accepted and whose response is not being written yet.
  struct Slot {
    bool error_in_band = false;
    size_t bytes = 0;
    std::optional<absl::StatusOr<broker::ProduceResult>> answer;
    std::unique_ptr<RequestSpan> span;  // null: not traced
  };

  // What Advance decided to start.
  struct Work {
    bool read = false;
    bool write = false;
    bool more_follows = false;  // another response is ready behind the one to write
    std::optional<absl::Status> finish;
    bool none() const { return !read && !write && !finish.has_value(); }
  };

  // Takes the request that was read into request_. Only one read is pending at a time, so that
  // request_, partition_ and its name belong to whoever handles it.
  void Accept() {
    std::unique_ptr<RequestSpan> span = context_.tracer == nullptr ? nullptr : BeginRequest();
    auto input = ReadRequest(span.get());
    Slot slot{.error_in_band = request_.errors_in_band()};
    if (input.ok()) {
      slot.bytes = input->batch.records.size();
      if (span != nullptr) {
        span->records = input->batch.record_count;
        input->batch.trace = span->span.context;
      }
      slot.span = std::move(span);
    } else {
      if (span != nullptr) EndRequest(*span, input.status());
      slot.answer = input.status();
    }
    uint64_t sequence = 0;
    bool accepted = false;
    {
      base::MutexLock lock(mutex_);
      accepted = !draining_ && !finished_ && !failed_;  // otherwise it is never answered
      if (accepted) {
        sequence = next_sequence_++;
        bytes_in_flight_ += slot.bytes;
        if (!input.ok() && !slot.error_in_band) failed_ = true;
        slots_.push_back(std::move(slot));
      }
    }
    if (accepted && input.ok()) {
      partition_->Produce(std::move(input->batch), input->expected_offset,
                          [self = shared_from_this(), partition = partition_,
                           sequence](absl::StatusOr<broker::ProduceResult> result) {
                            self->OnAnswer(*partition, sequence, std::move(result));
                          });
    }
    Advance([this]() CAIRN_REQUIRES(mutex_) { reading_ = false; });
  }

  // On the shard's thread. One commit answers many requests: what they start is started once, so
  // that gRPC sends their responses in one piece.
  void OnAnswer(broker::Partition& partition, uint64_t sequence,
                absl::StatusOr<broker::ProduceResult> result) {
    {
      base::MutexLock lock(mutex_);
      SetAnswer(sequence, std::move(result));
      if (std::exchange(advance_posted_, true)) return;
    }
    partition.PostBehindAnswers([self = shared_from_this()] {
      self->Advance([&]() CAIRN_REQUIRES(self->mutex_) { self->advance_posted_ = false; });
    });
  }

  // Whether request_ is traced. It says itself for which trace it is asked, or is the stream's, or
  // is the beginning of a trace of its own. Of a stream that came with a trace, which may last for
  // days, only the first requests are its own. Null: not traced.
  std::unique_ptr<RequestSpan> BeginRequest() {
    const RpcSpan& stream = report_.span();
    const auto named = request_.traceparent().empty()
                           ? std::nullopt
                           : base::ParseTraceparent(request_.traceparent());
    RpcSpan span;
    if (named || !stream.caller.valid()) {
      span = BeginSpan(*context_.tracer, named.value_or(base::TraceContext()),
                       context_.clock.MonotonicNs());
    } else if (stream.sampled() && traced_requests_ < kMaxTracedRequests) {
      ++traced_requests_;
      span = BeginPart(*context_.tracer, stream.context, context_.clock.MonotonicNs());
    }
    if (!span.sampled()) return nullptr;
    return std::make_unique<RequestSpan>(RequestSpan{
        .span = span,
        .topic = std::string(TopicName(request_.topic()).substr(0, broker::kMaxTopicNameBytes)),
        .partition = request_.partition()});
  }

  void EndRequest(const RequestSpan& request, const absl::Status& status) {
    auto attributes =
        MessagingAttributes("send", request.topic, request.partition, request.records);
    attributes.push_back({"rpc.system", std::string("grpc")});
    attributes.push_back({"rpc.service", std::string("log.v1.Log")});
    attributes.push_back({"rpc.method", std::string("ProduceStream")});
    attributes.push_back({"rpc.grpc.status_code", int64_t{status.raw_code()}});
    EndSpan(*context_.tracer, request.span, "log.v1.Log/ProduceStream request",
            telemetry::SpanKind::kServer, status, std::move(attributes),
            context_.clock.MonotonicNs());
  }

  absl::StatusOr<ProduceInput> ReadRequest(const RequestSpan* span) {
    if (absl::Status found = FindPartition(span); !found.ok()) return found;
    return ReadProduceRequest(request_, context_.clock.WallMs());
  }

  // The partition that request_ names, looked up again only when the name changes, the topic was
  // deleted, or what the caller may could have changed.
  absl::Status FindPartition(const RequestSpan* span) {
    const std::string_view topic = TopicName(request_.topic());
    const PartitionId id(request_.partition());
    const bool stale = partition_gone_.exchange(false, std::memory_order_acquire);
    const uint64_t security_version = report_.guard().security_version();
    if (partition_ != nullptr && !stale && topic == topic_ && id == partition_id_ &&
        security_version == security_version_) {
      return absl::OkStatus();
    }
    if (absl::Status may = report_.Check(span == nullptr ? report_.span() : span->span,
                                         security::Action::kProduce, request_.topic());
        !may.ok()) {
      partition_ = nullptr;
      return may;
    }
    security_version_ = security_version;
    auto found = context_.broker.FindPartition(topic, id);
    if (!found.ok()) return found.status();
    partition_ = *std::move(found);
    topic_ = topic;
    partition_id_ = id;
    report_.SetPartition(topic, id.value());
    return absl::OkStatus();
  }

  void SetAnswer(uint64_t sequence, absl::StatusOr<broker::ProduceResult> result)
      CAIRN_REQUIRES(mutex_) {
    Slot& slot = slots_[sequence - first_sequence_];
    bytes_in_flight_ -= slot.bytes;
    slot.answer = std::move(result);
    if (slot.span != nullptr) EndRequest(*slot.span, slot.answer->status());
    if (slot.answer->ok()) return;
    if (slot.answer->status().code() == absl::StatusCode::kNotFound) {
      partition_gone_.store(true, std::memory_order_release);
    }
    if (!slot.error_in_band) failed_ = true;
  }

  // Applies `change` to the state, then starts what can be started.
  template <typename Change>
  void Advance(Change change) {
    // Finish lets gRPC call OnDone, on any thread, which may drop the last reference but this one.
    const auto self = shared_from_this();
    Work work;
    {
      base::MutexLock lock(mutex_);
      change();
      if (advancing_) {
        advance_again_ = true;  // whoever is at it looks again
        return;
      }
      work = NextWork();
      advancing_ = !work.none();
    }
    while (!work.none()) {
      Perform(work);
      base::MutexLock lock(mutex_);
      work = std::exchange(advance_again_, false) ? NextWork() : Work();
      advancing_ = !work.none();
    }
  }

  void Perform(const Work& work) {
    if (work.read) StartRead(&request_);
    if (work.write) {
      grpc::WriteOptions options;
      if (work.more_follows) options.set_buffer_hint();
      StartWrite(&response_, options);
    }
    if (work.finish.has_value()) Finish(api::ToGrpcStatus(*work.finish));
  }

  Work NextWork() CAIRN_REQUIRES(mutex_) {
    Work work;
    if (finished_) return work;
    if (!writing_) {
      if (broken_) return FinishWith(absl::CancelledError("the client went away"));
      if (slots_.empty() && draining_) {
        return FinishWith(base::MakeError(absl::StatusCode::kUnavailable,
                                          "the broker is shutting down",
                                          base::reason::kShuttingDown));
      }
      if (slots_.empty() && reads_done_ && !reading_) return FinishWith(absl::OkStatus());
      if (!slots_.empty() && slots_.front().answer.has_value()) {
        const Slot& slot = slots_.front();
        if (!slot.answer->ok() && !slot.error_in_band) return FinishWith(slot.answer->status());
        FillResponse(slot);
        slots_.pop_front();
        ++first_sequence_;
        writing_ = true;
        work.write = true;
        // A status that ends the stream flushes, too, so whatever is answered next counts. The
        // first response carries the initial metadata, whose write gRPC 1.51 does not start under a
        // buffer hint: the pair would wait for the next ping.
        work.more_follows =
            first_sequence_ > 1 && !slots_.empty() && slots_.front().answer.has_value();
      }
    }
    if (!reading_ && !reads_done_ && !draining_ && !failed_ && !broken_ &&
        slots_.size() < kMaxInFlightRequests && bytes_in_flight_ < kMaxInFlightBytes) {
      reading_ = true;
      work.read = true;
    }
    return work;
  }

  Work FinishWith(absl::Status status) CAIRN_REQUIRES(mutex_) {
    finished_ = true;
    final_status_ = status;
    Work work;
    work.finish = std::move(status);
    return work;
  }

  void FillResponse(const Slot& slot) CAIRN_REQUIRES(mutex_) {
    response_.Clear();
    if (slot.answer->ok()) {
      WriteProduceResponse(**slot.answer, response_);
    } else {
      api::ToErrorMessage(slot.answer->status(), *response_.mutable_error());
    }
  }

  const ServiceContext& context_;
  CallReport report_;
  std::shared_ptr<ProduceStream> self_;  // until OnDone: gRPC holds a plain pointer

  // Of the one pending read.
  ProduceRequest request_;
  std::shared_ptr<broker::Partition> partition_;
  std::string topic_;
  PartitionId partition_id_;
  uint32_t traced_requests_ = 0;             // as parts of the stream's span
  uint64_t security_version_ = 0;            // at which the caller was allowed to
  std::atomic<bool> partition_gone_{false};  // set by an answer, taken by the next request

  ProduceResponse response_;  // of the one pending write

  base::Mutex mutex_;
  std::deque<Slot> slots_ CAIRN_GUARDED_BY(mutex_);
  uint64_t first_sequence_ CAIRN_GUARDED_BY(mutex_) = 0;  // of slots_.front()
  uint64_t next_sequence_ CAIRN_GUARDED_BY(mutex_) = 0;
  size_t bytes_in_flight_ CAIRN_GUARDED_BY(mutex_) = 0;
  bool reading_ CAIRN_GUARDED_BY(mutex_) =
      false;  // a read is pending, or its request being accepted
  bool writing_ CAIRN_GUARDED_BY(mutex_) = false;
  bool reads_done_ CAIRN_GUARDED_BY(mutex_) = false;
  bool failed_ CAIRN_GUARDED_BY(mutex_) =
      false;  // an error that ends the stream waits among the slots
  bool broken_ CAIRN_GUARDED_BY(mutex_) = false;  // the client is gone
  bool draining_ CAIRN_GUARDED_BY(mutex_) = false;
  bool finished_ CAIRN_GUARDED_BY(mutex_) = false;
  bool advance_posted_ CAIRN_GUARDED_BY(mutex_) = false;
  bool advancing_ CAIRN_GUARDED_BY(mutex_) = false;
  bool advance_again_ CAIRN_GUARDED_BY(mutex_) = false;
  absl::Status final_status_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace

grpc::ServerBidiReactor<ProduceRequest, ProduceResponse>* StartProduceStream(
    const ServiceContext& context, grpc::CallbackServerContext* call) {
  auto stream = std::make_shared<ProduceStream>(context, call);
  stream->Start();
  return stream.get();  // alive through self_ until OnDone
}

}  // namespace cairn::rpc
