#include "env/timer_queue.h"

#include <limits>

#include "base/check.h"

namespace cairn::env {

Executor::TimerId TimerQueue::Add(int64_t deadline_ns, Executor::Task task) {
  const Executor::TimerId id = ++last_id_;
  by_deadline_.emplace(std::pair(deadline_ns, id), std::move(task));
  deadlines_.emplace(id, deadline_ns);
  return id;
}

Executor::Task TimerQueue::Cancel(Executor::TimerId timer) {
  const auto found = deadlines_.find(timer);
  if (found == deadlines_.end()) return nullptr;
  auto node = by_deadline_.extract(std::pair(found->second, timer));
  deadlines_.erase(found);
  return std::move(node.mapped());
}

std::optional<int64_t> TimerQueue::next_deadline_ns() const {
  if (by_deadline_.empty()) return std::nullopt;
  return by_deadline_.begin()->first.first;
}

Executor::Task TimerQueue::TakeDue(int64_t now_ns) {
  if (by_deadline_.empty() || by_deadline_.begin()->first.first > now_ns) return nullptr;
  auto node = by_deadline_.extract(by_deadline_.begin());
  deadlines_.erase(node.key().second);
  return std::move(node.mapped());
}

int64_t DeadlineAfter(int64_t now_ns, int64_t delay_ns) {
  CAIRN_CHECK(delay_ns >= 0, "a timer cannot fire in the past");
  int64_t deadline_ns;
  if (__builtin_add_overflow(now_ns, delay_ns, &deadline_ns)) {
    return std::numeric_limits<int64_t>::max();
  }
  return deadline_ns;
}

}  // namespace cairn::env
