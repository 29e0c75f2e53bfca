#include "env/sim_thread.h"

#include <utility>

namespace cairn::env {

void SimThread::Post(Task task) {
  auto posted = std::make_shared<Task>(std::move(task));
  {
    base::MutexLock lock(mutex_);
    waiting_.push_back(posted);
    executor_.Post([this, posted = std::move(posted)] {
      if (*posted) RunFirst();
    });
  }
  if (std::this_thread::get_id() != owner_ || running_ || random_.Below(2) == 0) return;
  while (RunFirst()) {
  }
}

bool SimThread::RunFirst() {
  std::shared_ptr<Task> first;
  {
    base::MutexLock lock(mutex_);
    if (waiting_.empty()) return false;
    first = waiting_.front().lock();
    waiting_.pop_front();
  }
  Task task = std::exchange(*first, nullptr);
  running_ = true;
  task();
  running_ = false;
  return true;
}

}  // namespace cairn::env
