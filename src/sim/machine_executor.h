// One thread of a simulated machine: a queue that the machine's power switch and its owner's pauses
// govern, run by the simulation's only executor.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>

#include "env/executor.h"
#include "env/sim_executor.h"

namespace cairn::sim {

// Tasks run in order, each after the time that `latency` draws for it: that of a disk, or none.
// Thread-compatible.
class MachineExecutor final : public env::Executor {
 public:
  using Latency = std::function<int64_t()>;  // in ns

  // `fabric` outlives this. No latency: tasks run as soon as the fabric comes to them.
  explicit MachineExecutor(env::SimExecutor& fabric, Latency latency = {});
  ~MachineExecutor() override;
  MachineExecutor(const MachineExecutor&) = delete;
  MachineExecutor& operator=(const MachineExecutor&) = delete;

  void Post(Task task) override;
  TimerId PostAfter(int64_t delay_ns, Task task) override;
  void Cancel(TimerId timer) override;

  // The power is gone: nothing runs any more, and nothing is taken. From the executor's own tasks,
  // too.
  void PowerOff();
  // Destroys what has not run. Not from the executor's own tasks; after PowerOff.
  void Clear();

  // What is due waits.
  void Pause();
  void Resume();

 private:
  struct State;
  static void Schedule(const std::shared_ptr<State>& state);
  static void RunNext(const std::shared_ptr<State>& state);

  const std::shared_ptr<State> state_;  // shared with what is on its way in the fabric
};

}  // namespace cairn::sim
