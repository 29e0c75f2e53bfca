#include "env/timer_queue.h"

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace cairn::env {
namespace {

// Up to so many cancelled timers are not worth a sweep.
constexpr size_t kFewTimers = 64;

}  // namespace

Executor::TimerId TimerQueue::Add(int64_t deadline_ns, Executor::Task task) {
  const Executor::TimerId id = ++last_id_;
  tasks_.emplace(id, std::move(task));
  heap_.push_back({deadline_ns, id});
  std::push_heap(heap_.begin(), heap_.end());
  return id;
}

Executor::Task TimerQueue::Cancel(Executor::TimerId timer) {
  const auto found = tasks_.find(timer);
  if (found == tasks_.end()) return nullptr;
  Executor::Task task = std::move(found->second);
  tasks_.erase(found);
  DropCancelled();
  return task;
}

std::optional<int64_t> TimerQueue::next_deadline_ns() const {
  if (heap_.empty()) return std::nullopt;
  return heap_.front().deadline_ns;
}

Executor::Task TimerQueue::TakeDue(int64_t now_ns) {
  if (heap_.empty() || heap_.front().deadline_ns > now_ns) return nullptr;
  const auto found = tasks_.find(heap_.front().id);
  Executor::Task task = std::move(found->second);
  tasks_.erase(found);
  DropCancelled();
  return task;
}

void TimerQueue::DropCancelled() {
  const auto cancelled = [this](const Due& due) { return !tasks_.contains(due.id); };
  if (heap_.size() > 2 * tasks_.size() + kFewTimers) {
    std::erase_if(heap_, cancelled);
    std::make_heap(heap_.begin(), heap_.end());
  }
  while (!heap_.empty() && cancelled(heap_.front())) {
    std::pop_heap(heap_.begin(), heap_.end());
    heap_.pop_back();
  }
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
