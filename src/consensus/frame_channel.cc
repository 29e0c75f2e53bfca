#include "consensus/frame_channel.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "consensus/peer_codec.h"

namespace cairn::consensus {
namespace {

// How long Urgency::kSoon waits: the heartbeats of many groups, and the answers to them, share a
// write and a wake-up of the other side; beside a heartbeat's time it is nothing.
constexpr int64_t kSoonNs = 5'000'000;

}  // namespace

FrameChannel::FrameChannel(Options options, std::unique_ptr<env::Connection> connection,
                           Events events)
    : options_(std::move(options)),
      peer_address_(connection->peer_address()),
      connection_(std::move(connection)),
      events_(std::move(events)),
      reader_(options_.max_frame_bytes),
      last_heard_ns_(options_.clock->MonotonicNs()),
      last_sent_ns_(last_heard_ns()) {}

FrameChannel::~FrameChannel() = default;

void FrameChannel::Start(std::string_view received) {
  SetTick();
  if (received.empty()) return Read();
  // Not within the owner's call: frames may be complete already.
  options_.loop->Post([self = shared_from_this(), bytes = std::string(received)] {
    std::string_view rest = bytes;
    while (!rest.empty()) {
      if (self->closed()) return;
      const std::span<char> space = self->reader_.Space();
      const size_t size = std::min(space.size(), rest.size());
      std::memcpy(space.data(), rest.data(), size);
      rest.remove_prefix(size);
      self->reader_.Advance(size);
      if (!self->Process()) return;
    }
    self->Read();
  });
}

bool FrameChannel::Append(absl::FunctionRef<absl::Status(env::SliceBuffer&)> encode, Limit limit,
                          Urgency urgency) {
  {
    base::MutexLock lock(mutex_);
    if (shut_) return false;
    if (limit == Limit::kRespect && queued_bytes_ >= options_.queue_limit_bytes) return false;
    const size_t before = pending_.size_bytes();
    if (!encode(pending_).ok()) return false;
    queued_bytes_ += pending_.size_bytes() - before;
    if (flush_scheduled_) return true;
    bool& scheduled = urgency == Urgency::kNow ? flush_scheduled_ : late_flush_scheduled_;
    if (std::exchange(scheduled, true)) return true;
  }
  if (urgency == Urgency::kSoon) {
    options_.loop->PostAfter(kSoonNs, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->FlushLate();
    });
    return true;
  }
  options_.loop->Post([self = shared_from_this()] { self->Flush(); });
  return true;
}

size_t FrameChannel::queued_bytes() const {
  base::MutexLock lock(mutex_);
  return queued_bytes_;
}

bool FrameChannel::writable() const {
  base::MutexLock lock(mutex_);
  return !shut_ && queued_bytes_ < options_.queue_limit_bytes / 2;
}

void FrameChannel::Flush() {
  if (closed()) return;
  std::vector<env::Slice> slices;
  size_t bytes;
  {
    base::MutexLock lock(mutex_);
    bytes = pending_.size_bytes();
    slices = pending_.Take();
    flush_scheduled_ = !slices.empty();
  }
  if (slices.empty()) {
    if (ending_) Fail(absl::CancelledError("closed"));
    return;
  }
  options_.counters->writes.fetch_add(1, std::memory_order_relaxed);
  connection_->Write(std::move(slices), [self = shared_from_this(), bytes](absl::Status status) {
    self->Wrote(bytes, status);
  });
}

void FrameChannel::FlushLate() {
  {
    base::MutexLock lock(mutex_);
    late_flush_scheduled_ = false;
    if (std::exchange(flush_scheduled_, true)) return;
  }
  Flush();
}

void FrameChannel::Wrote(size_t bytes, const absl::Status& status) {
  if (closed()) return;
  if (!status.ok()) return Fail(status);
  options_.counters->bytes_sent.fetch_add(bytes, std::memory_order_relaxed);
  last_sent_ns_ = options_.clock->MonotonicNs();
  {
    base::MutexLock lock(mutex_);
    queued_bytes_ -= bytes;
  }
  Flush();
  if (!closed() && events_.drained && writable()) events_.drained();
}

void FrameChannel::Read() {
  connection_->Read(reader_.Space(), [self = shared_from_this()](absl::StatusOr<size_t> size) {
    self->OnRead(size);
  });
}

void FrameChannel::OnRead(const absl::StatusOr<size_t>& size) {
  if (closed()) return;
  if (!size.ok()) return Fail(size.status());
  if (*size == 0) {
    return Fail(reader_.at_frame_end() ? absl::UnavailableError("the peer closed the connection")
                                       : absl::OutOfRangeError("the stream ends within a frame"));
  }
  options_.counters->bytes_received.fetch_add(*size, std::memory_order_relaxed);
  last_heard_ns_.store(options_.clock->MonotonicNs(), std::memory_order_relaxed);
  reader_.Advance(*size);
  if (Process()) Read();
}

bool FrameChannel::Process() {
  while (true) {
    absl::StatusOr<std::optional<Frame>> frame = reader_.Next();
    absl::Status status = frame.status();
    if (status.ok()) {
      if (!*frame) {
        if (events_.frames_end) events_.frames_end();
        return !closed();
      }
      status = (*frame)->type == FrameType::kPing ? DecodePing(**frame)
                                                  : events_.frame(**std::move(frame));
    }
    if (closed()) return false;
    if (!status.ok()) {
      Fail(status);
      return false;
    }
    if (ending_) return false;  // whatever else it says is of no interest
  }
}

void FrameChannel::Close() {
  if (closed()) return;
  connection_.reset();
  if (tick_ != 0) options_.loop->Cancel(tick_);
  std::vector<env::Slice> dropped;  // freed outside the lock
  base::MutexLock lock(mutex_);
  shut_ = true;
  dropped = pending_.Take();
  queued_bytes_ = 0;
}

void FrameChannel::CloseWhenSent() {
  if (closed()) return;
  ending_ = true;
  bool idle;
  {
    base::MutexLock lock(mutex_);
    shut_ = true;
    idle = !flush_scheduled_;
  }
  if (idle) options_.loop->Post([self = shared_from_this()] { self->Flush(); });
}

void FrameChannel::Fail(const absl::Status& why) {
  Close();
  events_.closed(ending_ ? absl::CancelledError("closed") : why);
}

void FrameChannel::SetTick() {
  tick_ = options_.loop->PostAfter(options_.ping_after_ns / 2, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Tick();
  });
}

void FrameChannel::Tick() {
  if (closed()) return;
  const int64_t now_ns = options_.clock->MonotonicNs();
  if (now_ns - last_heard_ns() >= options_.silence_ns) {
    return Fail(absl::UnavailableError(
        base::StrCat("nothing heard for ", options_.silence_ns / 1'000'000, " ms")));
  }
  if (now_ns - last_sent_ns_ >= options_.ping_after_ns && queued_bytes() == 0) {
    Append([](env::SliceBuffer& to) {
      EncodePing(to);
      return absl::OkStatus();
    });
  }
  SetTick();
}

}  // namespace cairn::consensus
