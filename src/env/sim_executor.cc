#include "env/sim_executor.h"

#include <optional>
#include <utility>

#include "base/check.h"

namespace cairn::env {

SimExecutor::~SimExecutor() {
  // Dying tasks may post more; they die as well.
  std::deque<Task> tasks;
  std::optional<TimerQueue> timers;
  do {
    tasks.clear();
    timers.emplace();
    base::MutexLock lock(mutex_);
    tasks.swap(tasks_);
    std::swap(*timers, timers_);
  } while (!tasks.empty() || timers->next_deadline_ns());
}

void SimExecutor::Post(Task task) {
  base::MutexLock lock(mutex_);
  tasks_.push_back(std::move(task));
}

Executor::TimerId SimExecutor::PostAfter(int64_t delay_ns, Task task) {
  const int64_t deadline_ns = DeadlineAfter(clock_.MonotonicNs(), delay_ns);
  base::MutexLock lock(mutex_);
  return timers_.Add(deadline_ns, std::move(task));
}

void SimExecutor::Cancel(TimerId timer) {
  Task dropped;  // destroyed outside the lock
  base::MutexLock lock(mutex_);
  dropped = timers_.Cancel(timer);
}

bool SimExecutor::RunOne() {
  Task task;
  {
    base::MutexLock lock(mutex_);
    if (tasks_.empty()) {
      task = timers_.TakeDue(clock_.MonotonicNs());
    } else {
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
  }
  if (!task) return false;
  task();
  return true;
}

void SimExecutor::RunUntilIdle() {
  int64_t ran = 0;
  while (RunOne()) {
    CAIRN_CHECK(++ran < kMaxTasksPerInstant, "the tasks of this instant post each other for ever");
  }
}

void SimExecutor::RunFor(int64_t duration_ns) {
  const int64_t end_ns = DeadlineAfter(clock_.MonotonicNs(), duration_ns);
  while (true) {
    RunUntilIdle();
    std::optional<int64_t> next_ns;
    {
      base::MutexLock lock(mutex_);
      next_ns = timers_.next_deadline_ns();
    }
    const int64_t now_ns = clock_.MonotonicNs();
    if (!next_ns || *next_ns > end_ns) {
      clock_.Advance(end_ns - now_ns);
      return;
    }
    clock_.Advance(*next_ns - now_ns);
  }
}

}  // namespace cairn::env
