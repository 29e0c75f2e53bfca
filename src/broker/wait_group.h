// Waits until everything that was counted has arrived. Thread-safe.
#pragma once

#include <cstddef>

#include "base/mutex.h"

namespace cairn::broker {

class WaitGroup {
 public:
  explicit WaitGroup(size_t count) : left_(count) {}
  void Add(size_t count) {
    base::MutexLock lock(mutex_);
    left_ += count;
  }
  void Arrive() {
    base::MutexLock lock(mutex_);
    --left_;
    arrived_.NotifyAll();
  }
  void Wait() {
    base::MutexLock lock(mutex_);
    while (left_ > 0) arrived_.Wait(mutex_);
  }

 private:
  base::Mutex mutex_;
  base::CondVar arrived_;
  size_t left_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn::broker
