// The memory that a producer's unacknowledged records may take.
//
// Shared by the threads that produce, which take, and gRPC's threads, which give back. Thread-safe.
#pragma once

#include <cstddef>

#include "base/mutex.h"

namespace cairn::client {

class BufferBudget {
 public:
  explicit BufferBudget(size_t limit_bytes) : limit_bytes_(limit_bytes) {}

  size_t limit_bytes() const { return limit_bytes_; }

  // Takes `bytes` if that leaves the sum within the limit.
  bool TryTake(size_t bytes) {
    base::MutexLock lock(mutex_);
    return TryTakeLocked(bytes);
  }

  // Waits until it can take `bytes` (at most the limit), or until Close: false then.
  bool Take(size_t bytes) {
    base::MutexLock lock(mutex_);
    ++waiting_;
    while (!closed_ && !TryTakeLocked(bytes)) room_.Wait(mutex_);
    --waiting_;
    return !closed_;
  }

  void Give(size_t bytes) {
    base::MutexLock lock(mutex_);
    taken_bytes_ -= bytes;
    if (waiting_ > 0) room_.NotifyAll();
  }

  void Close() {
    base::MutexLock lock(mutex_);
    closed_ = true;
    room_.NotifyAll();
  }

 private:
  bool TryTakeLocked(size_t bytes) CAIRN_REQUIRES(mutex_) {
    if (taken_bytes_ + bytes > limit_bytes_) return false;
    taken_bytes_ += bytes;
    return true;
  }

  const size_t limit_bytes_;
  base::Mutex mutex_;
  base::CondVar room_;
  size_t taken_bytes_ CAIRN_GUARDED_BY(mutex_) = 0;
  int waiting_ CAIRN_GUARDED_BY(mutex_) = 0;
  bool closed_ CAIRN_GUARDED_BY(mutex_) = false;
};

}  // namespace cairn::client
