// FrameChannel: one connection that carries frames. Queues what is to be sent, within a limit,
// writes all that waits at once, cuts what arrives into frames, and notices a dead peer.
//
// Sits between env::Connection and the two ends of the peer protocol (peer_outgoing.h,
// peer_incoming.h). Append, queued_bytes and writable are thread-safe; the rest belongs to the
// loop.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "base/mutex.h"
#include "consensus/peer_frame.h"
#include "consensus/peer_link.h"
#include "env/clock.h"
#include "env/executor.h"
#include "env/network.h"
#include "env/slice.h"

namespace cairn::consensus {

class FrameChannel : public std::enable_shared_from_this<FrameChannel> {
 public:
  // Sums over all channels of a transport.
  struct Counters {
    std::atomic<uint64_t> bytes_sent{0};
    std::atomic<uint64_t> bytes_received{0};
    std::atomic<uint64_t> writes{0};
  };
  struct Options {
    env::Executor* loop;
    const env::Clock* clock;
    std::shared_ptr<Counters> counters;
    size_t queue_limit_bytes;
    // A ping is sent when nothing else was for this long; the channel fails when nothing was heard
    // for `silence_ns`.
    int64_t ping_after_ns;
    int64_t silence_ns;
    size_t max_frame_bytes;
  };
  // Called on the loop, never within a call of the owner's, and not after Close.
  struct Events {
    // An error closes the channel with it.
    absl::AnyInvocable<absl::Status(Frame)> frame;
    // The frames of one read have been handed over. May be empty.
    absl::AnyInvocable<void()> frames_end = {};
    // Once, last. UNAVAILABLE: the connection broke, or fell silent. OUT_OF_RANGE: it ended within
    // a frame. The errors of FrameReader::Next and of `frame`.
    absl::AnyInvocable<void(const absl::Status&)> closed;
    // A write was done and the queue is below half of its limit. May be empty.
    absl::AnyInvocable<void()> drained;
  };

  FrameChannel(Options options, std::unique_ptr<env::Connection> connection, Events events);
  ~FrameChannel();

  // `received`: what has been read of the stream already.
  void Start(std::string_view received);

  // Appends what `encode` writes to the queue, in one piece, and has it sent. False, with nothing
  // appended, when the queue is full or the channel closed, or when `encode` fails. `encode` runs
  // under the channel's lock. kIgnore is for what is small and bounded otherwise. What is sent
  // later keeps its place in the queue, and goes along with what goes at once.
  enum class Limit { kRespect, kIgnore };
  bool Append(absl::FunctionRef<absl::Status(env::SliceBuffer&)> encode,
              Limit limit = Limit::kRespect, Urgency urgency = Urgency::kNow);

  size_t queued_bytes() const;
  // Open, and the queue is below half of its limit.
  bool writable() const;

  void set_max_frame_bytes(size_t bytes) { reader_.set_max_frame_bytes(bytes); }
  // Any thread.
  int64_t last_heard_ns() const { return last_heard_ns_.load(std::memory_order_relaxed); }
  const std::string& peer_address() const { return peer_address_; }
  bool closed() const { return connection_ == nullptr; }

  // No event follows. Idempotent.
  void Close();
  // Closes once what is queued has been written, or with the silence limit; then `closed` gets
  // CANCELLED. Nothing is read or taken for sending any more.
  void CloseWhenSent();

 private:
  void Flush();
  void FlushLate();
  void Wrote(size_t bytes, const absl::Status& status);
  void Read();
  void OnRead(const absl::StatusOr<size_t>& size);
  // False when the channel is closed.
  bool Process();
  void Fail(const absl::Status& why);
  void SetTick();
  void Tick();

  const Options options_;
  const std::string peer_address_;
  std::unique_ptr<env::Connection> connection_;
  Events events_;
  FrameReader reader_;
  std::atomic<int64_t> last_heard_ns_;
  int64_t last_sent_ns_;
  env::Executor::TimerId tick_ = 0;
  bool ending_ = false;  // CloseWhenSent was called

  mutable base::Mutex mutex_;
  env::SliceBuffer pending_ CAIRN_GUARDED_BY(mutex_);
  size_t queued_bytes_ CAIRN_GUARDED_BY(mutex_) = 0;       // pending and being written
  bool flush_scheduled_ CAIRN_GUARDED_BY(mutex_) = false;  // posted, or a write is under way
  bool late_flush_scheduled_ CAIRN_GUARDED_BY(mutex_) = false;
  bool shut_ CAIRN_GUARDED_BY(mutex_) = false;
};

}  // namespace cairn::consensus
