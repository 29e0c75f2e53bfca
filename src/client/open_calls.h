// OpenCalls: counts calls from their beginning until gRPC's threads have let go of them, and of the
// channel: whoever lets go of a process's last channel on such a thread ends that thread under
// itself, so whoever has channels waits for the calls first.
//
// Thread-safe. Shared with the calls, because its owner may be gone when the last of them leaves
// it.
#pragma once

#include "base/mutex.h"

namespace cairn::client {

class OpenCalls {
 public:
  void Opened() {
    base::MutexLock lock(mutex_);
    ++open_;
  }
  void Closed() {
    base::MutexLock lock(mutex_);
    if (--open_ == 0) none_.NotifyAll();
  }
  void WaitForNone() {
    base::MutexLock lock(mutex_);
    while (open_ > 0) none_.Wait(mutex_);
  }

 private:
  base::Mutex mutex_;
  base::CondVar none_;
  int open_ CAIRN_GUARDED_BY(mutex_) = 0;
};

}  // namespace cairn::client
