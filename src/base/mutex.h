// base::Mutex: std::mutex with clang's thread-safety annotations.
//
// Not absl::Mutex: Debian's is built without ThreadSanitizer support and gives false reports under
// it.
#pragma once

#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define CAIRN_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define CAIRN_THREAD_ANNOTATION(x)
#endif

#define CAIRN_GUARDED_BY(x) CAIRN_THREAD_ANNOTATION(guarded_by(x))
#define CAIRN_REQUIRES(...) CAIRN_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define CAIRN_EXCLUDES(...) CAIRN_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))

namespace cairn::base {

class CAIRN_THREAD_ANNOTATION(capability("mutex")) Mutex {
 public:
  void lock() CAIRN_THREAD_ANNOTATION(acquire_capability()) { mutex_.lock(); }
  void unlock() CAIRN_THREAD_ANNOTATION(release_capability()) { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

class CAIRN_THREAD_ANNOTATION(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) CAIRN_THREAD_ANNOTATION(acquire_capability(mutex))
      : mutex_(mutex) {
    mutex_.lock();
  }
  ~MutexLock() CAIRN_THREAD_ANNOTATION(release_capability()) { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// A condition variable for Mutex. Wait releases the mutex while it sleeps; wake-ups may be
// spurious.
class CondVar {
 public:
  void Wait(Mutex& mutex) CAIRN_REQUIRES(mutex) { condition_.wait(mutex); }
  template <typename Duration>
  void WaitFor(Mutex& mutex, Duration duration) CAIRN_REQUIRES(mutex) {
    condition_.wait_for(mutex, duration);
  }
  void NotifyOne() { condition_.notify_one(); }
  void NotifyAll() { condition_.notify_all(); }

 private:
  std::condition_variable_any condition_;
};

}  // namespace cairn::base
