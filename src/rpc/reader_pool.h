// ReaderPool: the threads on which fetches block, so that gRPC's and the shards' threads never do.
#pragma once

#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "base/mutex.h"

namespace cairn::rpc {

// Thread-safe. Jobs run in the order they came, each on whichever thread is free.
class ReaderPool {
 public:
  using Job = absl::AnyInvocable<void()>;

  ReaderPool(size_t threads, size_t max_queued);
  // Runs what is queued, then joins.
  ~ReaderPool();

  // False, without keeping the job, when max_queued jobs are waiting.
  [[nodiscard]] bool Submit(Job job);

 private:
  void Run();

  const size_t max_queued_;
  base::Mutex mutex_;
  base::CondVar work_;
  std::deque<Job> jobs_ CAIRN_GUARDED_BY(mutex_);
  bool ending_ CAIRN_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace cairn::rpc
