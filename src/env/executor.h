// Where work runs: an event loop on one thread of its own, or the simulator's single queue.
#pragma once

#include <cstdint>

#include "absl/functional/any_invocable.h"

namespace cairn::env {

// Tasks posted to one executor never run at the same time, and run in the order they were posted
// (timers: in the order of their deadlines). Thread-safe.
class Executor {
 public:
  using Task = absl::AnyInvocable<void()>;
  using TimerId = uint64_t;  // from 1; never reused

  virtual ~Executor() = default;

  // Runs `task` later; never inline.
  virtual void Post(Task task) = 0;

  // Runs `task` once `delay_ns` (>= 0) have passed on the monotonic clock.
  virtual TimerId PostAfter(int64_t delay_ns, Task task) = 0;

  // Drops the timer if it has not run yet; without effect afterwards. From the executor's own tasks
  // the guarantee is exact; from another thread the task may be running.
  virtual void Cancel(TimerId timer) = 0;
};

}  // namespace cairn::env
