#include "rpc/reader_pool.h"

#include <pthread.h>

#include <utility>

namespace cairn::rpc {

ReaderPool::ReaderPool(size_t threads, size_t max_queued) : max_queued_(max_queued) {
  for (size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { Run(); });
    pthread_setname_np(threads_.back().native_handle(), "cairn-reader");
  }
}

ReaderPool::~ReaderPool() {
  {
    base::MutexLock lock(mutex_);
    ending_ = true;
  }
  work_.NotifyAll();
  for (std::thread& thread : threads_) thread.join();
}

bool ReaderPool::Submit(Job job) {
  {
    base::MutexLock lock(mutex_);
    if (jobs_.size() >= max_queued_) return false;
    jobs_.push_back(std::move(job));
  }
  work_.NotifyOne();
  return true;
}

void ReaderPool::Run() {
  while (true) {
    Job job;
    {
      base::MutexLock lock(mutex_);
      while (jobs_.empty() && !ending_) work_.Wait(mutex_);
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job();
  }
}

}  // namespace cairn::rpc
