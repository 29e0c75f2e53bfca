// The timers of one executor, in the order in which they fall due. Internal to env.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "env/executor.h"

namespace cairn::env {

// Not thread-safe. Every task leaves through a return value: destroying one may call back into the
// executor, so its owner does that outside its lock.
class TimerQueue {
 public:
  // Timers with the same deadline fall due in the order they were added.
  Executor::TimerId Add(int64_t deadline_ns, Executor::Task task);

  // The task of the timer, empty when it is gone.
  Executor::Task Cancel(Executor::TimerId timer);

  std::optional<int64_t> next_deadline_ns() const;

  // The first task with a deadline up to `now_ns`, empty when there is none.
  Executor::Task TakeDue(int64_t now_ns);

 private:
  struct Due {
    int64_t deadline_ns;
    Executor::TimerId id;
    // The first due is the largest.
    bool operator<(const Due& other) const {
      return std::pair(deadline_ns, id) > std::pair(other.deadline_ns, other.id);
    }
  };
  // Cancelled timers stay in the heap until they come to its top, or are too many.
  void DropCancelled();

  std::vector<Due> heap_;
  absl::flat_hash_map<Executor::TimerId, Executor::Task> tasks_;
  Executor::TimerId last_id_ = 0;
};

// now + delay, or the end of time when that overflows. `delay_ns` >= 0.
int64_t DeadlineAfter(int64_t now_ns, int64_t delay_ns);

}  // namespace cairn::env
