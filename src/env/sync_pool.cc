#include "env/sync_pool.h"

#include <algorithm>

#include "base/check.h"

namespace cairn::env {
namespace {

// Room for fdatasync and an error message; the default of 8 MiB would be reserved 64 times.
constexpr size_t kStackBytes = size_t{256} << 10;

}  // namespace

SyncPool::~SyncPool() {
  std::vector<pthread_t> threads;
  {
    base::MutexLock lock(mutex_);
    CAIRN_CHECK(jobs_.empty(), "a SyncPool may not die while files wait for it");
    stopping_ = true;
    threads.swap(threads_);
  }
  work_.NotifyAll();
  for (const pthread_t thread : threads) ::pthread_join(thread, nullptr);
}

void SyncPool::Run(std::span<File* const> files, std::span<absl::Status> results) {
  CAIRN_CHECK(files.size() == results.size(), "every file needs a place for its result");
  if (files.empty()) return;
  if (files.size() == 1) {
    results[0] = files[0]->Sync();
    return;
  }
  Batch batch{files.size() - 1, {}};
  {
    base::MutexLock lock(mutex_);
    for (size_t i = 1; i < files.size(); ++i) jobs_.push_back({files[i], &results[i], &batch});
    StartThreads();
    const size_t wake = std::min(idle_, batch.unfinished);
    for (size_t i = 0; i < wake; ++i) work_.NotifyOne();
  }
  results[0] = files[0]->Sync();

  base::MutexLock lock(mutex_);
  while (batch.unfinished > 0) {
    if (jobs_.empty()) {
      batch.finished.Wait(mutex_);
    } else {
      RunOldestJob();
    }
  }
}

size_t SyncPool::thread_count() const {
  base::MutexLock lock(mutex_);
  return threads_.size();
}

void* SyncPool::RunThread(void* self) {
  ::pthread_setname_np(::pthread_self(), "cairn-sync");
  static_cast<SyncPool*>(self)->Work();
  return nullptr;
}

void SyncPool::Work() {
  base::MutexLock lock(mutex_);
  while (true) {
    while (jobs_.empty() && !stopping_) work_.Wait(mutex_);
    if (jobs_.empty()) return;
    --idle_;
    while (!jobs_.empty()) RunOldestJob();
    ++idle_;
  }
}

void SyncPool::RunOldestJob() {
  const Job job = jobs_.front();
  jobs_.pop_front();
  mutex_.unlock();
  absl::Status status = job.file->Sync();
  mutex_.lock();
  *job.result = std::move(status);
  // Under the mutex: the batch lives on the caller's stack and ends as soon as it sees zero.
  if (--job.batch->unfinished == 0) job.batch->finished.NotifyOne();
}

void SyncPool::StartThreads() {
  const size_t wanted = std::min(kMaxThreads, threads_.size() - idle_ + jobs_.size());
  if (threads_.size() >= wanted) return;
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, kStackBytes);
  while (threads_.size() < wanted) {
    pthread_t thread;
    // A refusal (EAGAIN: too many threads) is no error: the caller works its batch off itself.
    if (::pthread_create(&thread, &attributes, &RunThread, this) != 0) break;
    threads_.push_back(thread);
    ++idle_;  // counted from its start: it will look for work before it sleeps
  }
  ::pthread_attr_destroy(&attributes);
}

}  // namespace cairn::env
