// The time as the gossip core is told it, and what it means to do later.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <utility>

#include "absl/functional/any_invocable.h"

namespace cairn::gossip {

// Not thread-safe. Time moves only by Advance; timers run only there.
class Scheduler {
 public:
  using Task = absl::AnyInvocable<void()>;
  using TimerId = std::pair<int64_t, uint64_t>;  // deadline and number
  static constexpr TimerId kNone = {0, 0};

  int64_t now_ns() const { return now_ns_; }

  // Runs `task` at the first Advance that reaches now + delay_ns (>= 0).
  TimerId After(int64_t delay_ns, Task task) {
    const TimerId id = {now_ns_ + delay_ns, ++last_};
    tasks_.emplace(id, std::move(task));
    return id;
  }

  // Drops the timer if it has not run; `id` becomes kNone.
  void Cancel(TimerId& id) { tasks_.erase(std::exchange(id, kNone)); }

  // Moves the time (never backwards) and runs what is due, in the order of the deadlines. What a
  // task adds for a time that is past runs too.
  void Advance(int64_t now_ns) {
    now_ns_ = std::max(now_ns_, now_ns);
    while (!tasks_.empty() && tasks_.begin()->first.first <= now_ns_) {
      Task task = std::move(tasks_.begin()->second);
      tasks_.erase(tasks_.begin());
      task();
    }
  }

  // The end of time when there is nothing to do.
  int64_t next_deadline_ns() const {
    return tasks_.empty() ? std::numeric_limits<int64_t>::max() : tasks_.begin()->first.first;
  }

 private:
  int64_t now_ns_ = 0;
  uint64_t last_ = 0;
  std::map<TimerId, Task> tasks_;
};

}  // namespace cairn::gossip
