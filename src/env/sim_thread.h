// An executor that stands for another thread in a simulation that has only one.
#pragma once

#include <deque>
#include <memory>
#include <thread>

#include "base/mutex.h"
#include "env/executor.h"
#include "env/sim_executor.h"
#include "env/sim_random.h"

namespace cairn::env {

// Another thread may be quicker than the poster's next statement, or slow. So a task either runs
// within Post, with those posted before it, or in its turn in the queue of `executor`; chance
// decides. What holds whatever chance decides holds with real threads, as far as one thread can
// show. Post no task that takes a lock which the poster holds.
//
// Post is thread-safe; what threads other than the constructor's post is never run within it.
class SimThread final : public Executor {
 public:
  // `executor` and `random` outlive the last call.
  SimThread(SimExecutor& executor, SimRandom& random) : executor_(executor), random_(random) {}

  void Post(Task task) override;
  TimerId PostAfter(int64_t delay_ns, Task task) override {
    return executor_.PostAfter(delay_ns, std::move(task));
  }
  void Cancel(TimerId timer) override { executor_.Cancel(timer); }

 private:
  // False when nothing waits.
  bool RunFirst();

  SimExecutor& executor_;
  SimRandom& random_;
  const std::thread::id owner_ = std::this_thread::get_id();
  bool running_ = false;  // touched by the owner only
  base::Mutex mutex_;
  // Owned by the executor's queue, so that they die with it. A task that has run is empty.
  std::deque<std::weak_ptr<Task>> waiting_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn::env
