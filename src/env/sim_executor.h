// An executor over simulated time: nothing runs until the test says so, and then always in the same
// order.
#pragma once

#include <cstdint>
#include <deque>

#include "base/mutex.h"
#include "env/executor.h"
#include "env/sim_clock.h"
#include "env/timer_queue.h"

namespace cairn::env {

// Post, PostAfter and Cancel are thread-safe; the Run functions belong to one thread and do not
// nest. Order: posted tasks first, in the order of posting; when there are none, the next timer
// that is due; when there is none, time moves on to the next deadline.
class SimExecutor final : public Executor {
 public:
  // More tasks than this without time moving on are a loop that will never end.
  static constexpr int64_t kMaxTasksPerInstant = 10'000'000;

  // `clock` outlives the executor; only the Run functions of one executor may move it.
  explicit SimExecutor(SimClock& clock) : clock_(clock) {}
  // Drops what has not run.
  ~SimExecutor() override;

  void Post(Task task) override;
  TimerId PostAfter(int64_t delay_ns, Task task) override;
  void Cancel(TimerId timer) override;

  // Runs one task, or one timer that is due now. False when there was neither.
  bool RunOne();

  // Runs until nothing more is to be done without moving the clock.
  void RunUntilIdle();

  // Lets `duration_ns` pass and runs everything that falls due meanwhile, each at its own time.
  void RunFor(int64_t duration_ns);

 private:
  SimClock& clock_;
  base::Mutex mutex_;
  std::deque<Task> tasks_ CAIRN_GUARDED_BY(mutex_);
  TimerQueue timers_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn::env
