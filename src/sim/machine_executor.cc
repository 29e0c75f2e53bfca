#include "sim/machine_executor.h"

#include <utility>

namespace cairn::sim {

struct MachineExecutor::State {
  State(env::SimExecutor& f, Latency l) : fabric(f), latency(std::move(l)) {}

  env::SimExecutor& fabric;
  const Latency latency;
  std::deque<Task> tasks;
  std::map<TimerId, Task> timers;
  TimerId next_timer = 1;
  bool on = true;
  bool paused = false;
  bool scheduled = false;  // a call of RunNext is on its way
};

MachineExecutor::MachineExecutor(env::SimExecutor& fabric, Latency latency)
    : state_(std::make_shared<State>(fabric, std::move(latency))) {}

MachineExecutor::~MachineExecutor() {
  PowerOff();
  Clear();
}

void MachineExecutor::Schedule(const std::shared_ptr<State>& state) {
  if (!state->on || state->paused || state->scheduled || state->tasks.empty()) return;
  state->scheduled = true;
  const int64_t delay_ns = state->latency ? state->latency() : 0;
  auto run = [weak = std::weak_ptr<State>(state)] {
    if (const auto locked = weak.lock()) RunNext(locked);
  };
  if (delay_ns == 0) return state->fabric.Post(std::move(run));
  state->fabric.PostAfter(delay_ns, std::move(run));
}

void MachineExecutor::RunNext(const std::shared_ptr<State>& state) {
  state->scheduled = false;
  if (!state->on || state->paused || state->tasks.empty()) return;
  Task task = std::move(state->tasks.front());
  state->tasks.pop_front();
  task();
  Schedule(state);
}

void MachineExecutor::Post(Task task) {
  if (!state_->on) return;
  state_->tasks.push_back(std::move(task));
  Schedule(state_);
}

env::Executor::TimerId MachineExecutor::PostAfter(int64_t delay_ns, Task task) {
  if (!state_->on) return 0;
  const TimerId id = state_->next_timer++;
  state_->timers.emplace(id, std::move(task));
  state_->fabric.PostAfter(delay_ns, [weak = std::weak_ptr<State>(state_), id] {
    const auto state = weak.lock();
    if (!state || !state->on || !state->timers.contains(id)) return;
    // It can be cancelled until it runs.
    state->tasks.emplace_back([state = state.get(), id] {
      auto timer = state->timers.extract(id);
      if (!timer.empty()) timer.mapped()();
    });
    Schedule(state);
  });
  return id;
}

void MachineExecutor::Cancel(TimerId timer) { auto dropped = state_->timers.extract(timer); }

void MachineExecutor::PowerOff() { state_->on = false; }

void MachineExecutor::Clear() {
  // Tasks that die may post and cancel.
  auto tasks = std::exchange(state_->tasks, {});
  auto timers = std::exchange(state_->timers, {});
}

void MachineExecutor::Pause() { state_->paused = true; }

void MachineExecutor::Resume() {
  state_->paused = false;
  Schedule(state_);
}

}  // namespace cairn::sim
