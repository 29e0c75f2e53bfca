#include "env/event_loop.h"

#include <pthread.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/mutex.h"
#include "env/asio_datagram.h"
#include "env/asio_network.h"
#include "env/posix.h"
#include "env/timer_queue.h"

namespace cairn::env {

namespace asio = boost::asio;

namespace {

// After a burst the task queue gives its memory back down to this many tasks (256 KiB).
constexpr size_t kKeptTaskCapacity = 8192;

}  // namespace

// Tasks do not pass through Asio one by one: they gather in a vector, and only the first of a run
// wakes the thread, which takes them all. A Post to a busy loop is a lock and a push_back.
class EventLoop::Impl {
 public:
  explicit Impl(const std::string& thread_name)
      : io_(1), work_(io_.get_executor()), alarm_(io_), thread_([this, thread_name] {
          ::pthread_setname_np(::pthread_self(), thread_name.substr(0, 15).c_str());
          Run();
        }) {}

  ~Impl() {
    CAIRN_CHECK(!IsCurrent(), "a loop cannot wait for its own end");
    Post([this] {
      stopping_ = true;
      // Behind the callbacks of what earlier tasks have closed, so that those still run.
      asio::post(io_, [this] { io_.stop(); });
    });
    thread_.join();
  }

  void Post(Task task) {
    bool wake;
    {
      base::MutexLock lock(mutex_);
      tasks_.push_back(std::move(task));
      wake = !std::exchange(awake_, true);
    }
    if (wake) Wake();
  }

  TimerId PostAfter(int64_t delay_ns, Task task) {
    const int64_t deadline_ns = DeadlineAfter(SystemClock().MonotonicNs(), delay_ns);
    bool wake = false;
    TimerId id;
    {
      base::MutexLock lock(mutex_);
      const std::optional<int64_t> next = timers_.next_deadline_ns();
      id = timers_.Add(deadline_ns, std::move(task));
      if (!next || deadline_ns < *next) {
        alarm_is_late_ = true;
        wake = !std::exchange(awake_, true);
      }
    }
    if (wake) Wake();
    return id;
  }

  void Cancel(TimerId timer) {
    Task dropped;  // destroyed outside the lock
    base::MutexLock lock(mutex_);
    dropped = timers_.Cancel(timer);
  }

  bool IsCurrent() const { return std::this_thread::get_id() == thread_id_; }

  asio::io_context& io() { return io_; }

 private:
  void Wake() {
    asio::post(io_, [this] { RunTasks(); });
  }

  void Run() {
    io_.run();
    running_.clear();
    // What is left dies on its own thread; dying, it may post more.
    std::vector<Task> tasks;
    std::optional<TimerQueue> timers;
    do {
      tasks.clear();
      timers.emplace();
      base::MutexLock lock(mutex_);
      awake_ = true;  // nobody is there to be woken any more
      tasks.swap(tasks_);
      std::swap(*timers, timers_);
    } while (!tasks.empty() || timers->next_deadline_ns());
  }

  // Runs the tasks posted so far; those that they post wait for sockets and timers to have their
  // turn.
  void RunTasks() {
    {
      base::MutexLock lock(mutex_);
      running_.swap(tasks_);
    }
    for (Task& task : running_) {
      task();
      task = nullptr;  // frees what it held before the next one runs
      if (stopping_) return;
    }
    running_.clear();
    if (running_.capacity() > kKeptTaskCapacity) std::vector<Task>().swap(running_);
    SetAlarm();
    {
      base::MutexLock lock(mutex_);
      awake_ = !tasks_.empty() || alarm_is_late_;
      if (!awake_) return;
    }
    Wake();
  }

  void RunTimers() {
    const int64_t now_ns = SystemClock().MonotonicNs();
    while (!stopping_) {
      Task task;
      {
        base::MutexLock lock(mutex_);
        task = timers_.TakeDue(now_ns);
        if (!task) alarm_is_late_ = true;  // the next one, if any, needs it
      }
      if (!task) break;
      task();
    }
    SetAlarm();
  }

  // Sets the one Asio timer to the earliest deadline, when that has changed.
  void SetAlarm() {
    std::optional<int64_t> next;
    {
      base::MutexLock lock(mutex_);
      if (!std::exchange(alarm_is_late_, false)) return;
      next = timers_.next_deadline_ns();
    }
    if (!next) return;
    // SystemClock's monotonic clock and steady_clock are both CLOCK_MONOTONIC.
    alarm_.expires_at(std::chrono::steady_clock::time_point(std::chrono::nanoseconds(*next)));
    alarm_.async_wait([this](const boost::system::error_code& replaced) {
      if (!replaced) RunTimers();
    });
  }

  base::Mutex mutex_;
  std::vector<Task> tasks_ CAIRN_GUARDED_BY(mutex_);
  TimerQueue timers_ CAIRN_GUARDED_BY(mutex_);
  bool awake_ CAIRN_GUARDED_BY(mutex_) = false;  // RunTasks is queued or running
  bool alarm_is_late_ CAIRN_GUARDED_BY(mutex_) = false;

  std::vector<Task> running_;  // loop thread only, as are the rest
  bool stopping_ = false;
  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type>
      work_;  // an idle loop sleeps, not ends
  asio::steady_timer alarm_;
  std::thread thread_;
  const std::thread::id thread_id_ = thread_.get_id();
};

EventLoop::EventLoop(const std::string& thread_name) : impl_(std::make_unique<Impl>(thread_name)) {}
EventLoop::~EventLoop() = default;

void EventLoop::Post(Task task) { impl_->Post(std::move(task)); }
Executor::TimerId EventLoop::PostAfter(int64_t delay_ns, Task task) {
  return impl_->PostAfter(delay_ns, std::move(task));
}
void EventLoop::Cancel(TimerId timer) { impl_->Cancel(timer); }
bool EventLoop::IsCurrent() const { return impl_->IsCurrent(); }

absl::StatusOr<std::unique_ptr<Listener>> EventLoop::Listen(const std::string& address) {
  return AsioListen(impl_->io(), address);
}
void EventLoop::Connect(const std::string& address, ConnectCallback done) {
  AsioConnect(impl_->io(), address, std::move(done));
}
absl::StatusOr<std::unique_ptr<DatagramSocket>> EventLoop::BindDatagram(
    const std::string& address) {
  return AsioBindDatagram(impl_->io(), address);
}

}  // namespace cairn::env
