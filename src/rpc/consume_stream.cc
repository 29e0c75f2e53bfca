#include "rpc/consume_stream.h"

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "api/status_codec.h"
#include "base/error_info.h"
#include "base/mutex.h"
#include "rpc/consume_call.h"
#include "rpc/consume_start.h"
#include "rpc/response_builder.h"

namespace cairn::rpc {
namespace {

// The stream is always in some of these states at once: one write pending; one fetch queued or
// running on a reader thread; one wait for data at the partition. While a response is being written
// the next fetch already runs, so that at most two fetches' worth of bytes are held; with the
// client's window closed nothing runs at all. As in ProduceStream, events change the state under
// the mutex and Advance starts what can be started, one thread at a time and without a lock held.
class ConsumeStream final : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                            public DrainableStream,
                            public std::enable_shared_from_this<ConsumeStream> {
 public:
  ConsumeStream(const ServiceContext& context, grpc::CallbackServerContext* call)
      : context_(context), report_(context, call, "/log.v1.Log/ConsumeStream") {}

  void Start(const grpc::ByteBuffer& request) {
    self_ = shared_from_this();
    absl::Status opened = Open(request);
    report_.Opened();
    context_.streams.Add(self_);
    Advance([&]() CAIRN_REQUIRES(mutex_) {
      need_barrier_ = input_.linearizable;
      if (!opened.ok()) end_status_ = std::move(opened);
    });
  }

  void OnSendInitialMetadataDone(bool ok) override {
    if (!ok) OnCancel();
  }

  void OnWriteDone(bool ok) override {
    Advance([this, ok]() CAIRN_REQUIRES(mutex_) {
      writing_ = false;
      if (!ok) broken_ = true;
      if (position_ != nullptr && outgoing_end_.has_value()) position_->Set(*outgoing_end_);
    });
  }

  void OnCancel() override {
    Advance([this]() CAIRN_REQUIRES(mutex_) { broken_ = true; });
  }

  void Drain() override {
    Advance([this]() CAIRN_REQUIRES(mutex_) { draining_ = true; });
  }

  // What is on its way to the client was allowed when it was read.
  void Recheck() override {
    absl::Status may = report_.Check(security::Action::kConsume, input_.requested_topic);
    if (may.ok()) return;
    Advance([&]() CAIRN_REQUIRES(mutex_) { denied_ = std::move(may); });
  }

  void OnDone() override {
    context_.streams.Remove(this);
    absl::Status status;
    uint64_t responses = 0;
    {
      base::MutexLock lock(mutex_);
      status = final_status_;
      responses = responses_;
      position_.reset();
    }
    report_.SetRecords(records_);
    report_.Done(status, 1, responses);
    self_.reset();  // a fetch or wait that has not ended yet keeps the rest of us alive
  }

 private:
  struct Response {
    grpc::ByteBuffer message;
    // Of the last one of a fetch: the offset behind it. What was read at once counts as sent when
    // all of it is, so a client that takes nothing falls behind.
    std::optional<Offset> end;
  };

  // What Advance decided to start.
  struct Work {
    bool write = false;
    bool more_follows = false;
    bool barrier = false;
    bool fetch = false;
    bool wait = false;
    bool send_metadata = false;
    std::optional<broker::Partition::WaitId> cancel_wait;
    std::optional<absl::Status> finish;
    bool none() const {
      return !write && !barrier && !fetch && !wait && !cancel_wait.has_value() &&
             !finish.has_value();
    }
  };

  absl::Status Open(const grpc::ByteBuffer& request) {
    auto input = ParseConsumeRequest(request);
    if (!input.ok()) return input.status();
    input_ = *std::move(input);
    report_.SetPartition(input_.topic, input_.partition.value());
    if (absl::Status may = Check(); !may.ok()) return may;
    auto partition = context_.broker.FindPartition(input_.topic, input_.partition);
    if (!partition.ok()) return partition.status();
    partition_ = *std::move(partition);
    return absl::OkStatus();
  }

  absl::Status Check() {
    security_version_ = report_.guard().security_version();
    return report_.Check(security::Action::kConsume, input_.requested_topic);
  }

  // On a reader thread, one at a time.
  void Fetch() {
    std::deque<grpc::ByteBuffer> built;
    absl::StatusOr<bool> reached_end = true;
    if (report_.guard().security_version() != security_version_) reached_end = Allowed();
    if (reached_end.ok()) reached_end = FetchInto(built);
    Advance([&]() CAIRN_REQUIRES(mutex_) {
      fetching_ = false;
      for (grpc::ByteBuffer& response : built) ready_.push_back({std::move(response), {}});
      if (!input_.stop_at_end && builder_.has_value() && !finished_) {
        if (position_ == nullptr) {
          position_ = context_.positions.Follow(input_.topic, input_.partition, partition_, start_);
        }
        if (!built.empty()) ready_.back().end = builder_->position();
      }
      if (!reached_end.ok()) {
        end_status_ = reached_end.status();
      } else if (*reached_end) {
        if (input_.stop_at_end) {
          end_status_ = absl::OkStatus();
        } else {
          want_wait_ = true;
        }
      }
    });
  }

  absl::StatusOr<bool> Allowed() {
    if (absl::Status may = Check(); !may.ok()) return may;
    return true;
  }

  // Builds the next responses. True when there is nothing to read for now.
  absl::StatusOr<bool> FetchInto(std::deque<grpc::ByteBuffer>& built) {
    if (!builder_.has_value()) {
      auto start = ResolveStart(input_, *partition_);
      if (!start.ok()) return start.status();
      start_ = *start;
      next_fetch_ = *start;
      if (input_.stop_at_end) end_ = partition_->high_watermark();
      builder_.emplace(input_.mode, input_.max_records, input_.max_bytes, next_fetch_, end_);
    }
    if (builder_->empty()) {
      if (end_.has_value()) {
        if (next_fetch_ > *end_) return OutOfRange(next_fetch_, *partition_);
        if (next_fetch_ == *end_) return true;
      } else if (next_fetch_ > partition_->high_watermark()) {
        return true;  // follows: the offset will come
      }
      auto fetched = partition_->Fetch(next_fetch_, input_.max_bytes);
      if (!fetched.ok()) return fetched.status();
      if (fetched->entries.empty()) return true;
      next_fetch_ = fetched->entries.back().header.end_offset();
      builder_->Add(*std::move(fetched));
    }
    absl::Status status = builder_->Build(built);
    records_ += builder_->CountConsumed(*partition_);
    if (!status.ok()) return status;
    return false;
  }

  // What is committed is known: the first fetch sees all of it.
  void OnBarrier(absl::Status status) {
    Advance([&]() CAIRN_REQUIRES(mutex_) {
      fetching_ = false;
      if (!status.ok()) end_status_ = std::move(status);
    });
  }

  void OnData(absl::Status status) {
    Advance([&]() CAIRN_REQUIRES(mutex_) {
      waiting_ = false;
      wait_id_.reset();
      if (!status.ok() && !end_status_.has_value()) end_status_ = std::move(status);
    });
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

  void Perform(Work& work) {
    if (work.cancel_wait.has_value()) partition_->CancelWait(*work.cancel_wait);
    if (work.write) {
      grpc::WriteOptions options;
      if (work.more_follows) options.set_buffer_hint();
      StartWrite(&outgoing_, options);
    }
    if (work.barrier) {
      partition_->ReadBarrier(
          [self = shared_from_this()](absl::Status status) { self->OnBarrier(std::move(status)); });
    }
    if (work.fetch && !context_.readers.Submit([self = shared_from_this()] { self->Fetch(); })) {
      base::MutexLock lock(mutex_);
      fetching_ = false;
      end_status_ = TooManyReads();
      advance_again_ = true;
    }
    // So that the client knows that its position is fixed, although there is nothing to send yet.
    if (work.send_metadata) StartSendInitialMetadata();
    if (work.wait) {
      const auto id = partition_->WaitForData(
          next_fetch_,
          [self = shared_from_this()](absl::Status status) { self->OnData(std::move(status)); });
      base::MutexLock lock(mutex_);
      if (waiting_) wait_id_ = id;
      advance_again_ = true;  // the stream may have ended before the wait had an id to cancel
    }
    if (work.finish.has_value()) Finish(api::ToGrpcStatus(*work.finish));
  }

  Work NextWork() CAIRN_REQUIRES(mutex_) {
    Work work;
    if (finished_ || broken_ || draining_ || !denied_.ok()) {
      if (wait_id_.has_value()) work.cancel_wait = std::exchange(wait_id_, std::nullopt);
      if (!finished_ && !writing_) FinishEarly(work);
      return work;
    }
    if (!writing_) {
      if (!ready_.empty()) {
        outgoing_ = std::move(ready_.front().message);
        outgoing_end_ = ready_.front().end;
        ready_.pop_front();
        writing_ = true;
        ++responses_;
        work.write = true;
        // The response that carries the initial metadata must not be held back: gRPC 1.51 does not
        // start the metadata's write under a buffer hint, and the pair would wait for the next
        // ping.
        work.more_follows = std::exchange(metadata_sent_, true) && !ready_.empty();
      } else if (end_status_.has_value()) {
        FinishWith(*end_status_, work);
        return work;
      }
    }
    if (!ready_.empty() || end_status_.has_value() || fetching_ || waiting_) return work;
    if (std::exchange(want_wait_, false)) {
      waiting_ = true;
      work.wait = true;
      work.send_metadata = !std::exchange(metadata_sent_, true);
    } else {
      fetching_ = true;
      work.barrier = std::exchange(need_barrier_, false);
      work.fetch = !work.barrier;
    }
    return work;
  }

  void FinishEarly(Work& work) CAIRN_REQUIRES(mutex_) {
    if (broken_) return FinishWith(absl::CancelledError("the client went away"), work);
    if (!denied_.ok()) return FinishWith(denied_, work);
    FinishWith(base::MakeError(absl::StatusCode::kUnavailable, "the broker is shutting down",
                               base::reason::kShuttingDown),
               work);
  }

  void FinishWith(absl::Status status, Work& work) CAIRN_REQUIRES(mutex_) {
    finished_ = true;
    ready_.clear();
    final_status_ = status;
    work.finish = std::move(status);
  }

  const ServiceContext& context_;
  CallReport report_;
  std::shared_ptr<ConsumeStream> self_;  // until OnDone: gRPC holds a plain pointer
  ConsumeInput input_;
  std::atomic<uint64_t> security_version_{0};  // at which the caller was allowed to
  std::shared_ptr<broker::Partition> partition_;

  // Of the one fetch, and of the wait that follows it.
  std::optional<ResponseBuilder> builder_;
  std::optional<Offset> end_;
  Offset start_;
  Offset next_fetch_;
  std::atomic<uint64_t> records_{0};  // built into responses

  grpc::ByteBuffer outgoing_;  // of the one pending write

  base::Mutex mutex_;
  std::deque<Response> ready_ CAIRN_GUARDED_BY(mutex_);
  std::optional<Offset> outgoing_end_ CAIRN_GUARDED_BY(mutex_);
  // Ends the stream once everything ready is written.
  std::optional<absl::Status> end_status_ CAIRN_GUARDED_BY(mutex_);
  std::optional<broker::Partition::WaitId> wait_id_ CAIRN_GUARDED_BY(mutex_);
  bool writing_ CAIRN_GUARDED_BY(mutex_) = false;
  bool need_barrier_ CAIRN_GUARDED_BY(mutex_) = false;  // before the first fetch
  bool fetching_ CAIRN_GUARDED_BY(mutex_) = false;      // or waiting for the barrier
  bool want_wait_ CAIRN_GUARDED_BY(mutex_) = false;     // the last fetch found the end
  bool waiting_ CAIRN_GUARDED_BY(mutex_) = false;
  bool metadata_sent_ CAIRN_GUARDED_BY(mutex_) = false;
  bool broken_ CAIRN_GUARDED_BY(mutex_) = false;  // the client is gone
  bool draining_ CAIRN_GUARDED_BY(mutex_) = false;
  std::shared_ptr<ConsumerPositions::Position> position_ CAIRN_GUARDED_BY(mutex_);  // it follows
  absl::Status denied_ CAIRN_GUARDED_BY(mutex_);  // the caller may no more
  bool finished_ CAIRN_GUARDED_BY(mutex_) = false;
  bool advancing_ CAIRN_GUARDED_BY(mutex_) = false;
  bool advance_again_ CAIRN_GUARDED_BY(mutex_) = false;
  uint64_t responses_ CAIRN_GUARDED_BY(mutex_) = 0;
  absl::Status final_status_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace

grpc::ServerWriteReactor<grpc::ByteBuffer>* StartConsumeStream(const ServiceContext& context,
                                                               grpc::CallbackServerContext* call,
                                                               const grpc::ByteBuffer* request) {
  auto stream = std::make_shared<ConsumeStream>(context, call);
  stream->Start(*request);
  return stream.get();  // alive through self_ until OnDone
}

}  // namespace cairn::rpc
