// EventLoop: one thread that runs posted tasks, timers and sockets (Boost.Asio). The Executor of
// shards and disk writers, and the Network of the RPC port.
#pragma once

#include <memory>
#include <string>

#include "env/executor.h"
#include "env/network.h"

namespace cairn::env {

// Thread-safe but for the Network half, whose objects belong to the loop's thread (Listen may be
// called from any thread before the first Accept).
class EventLoop final : public Executor, public Network {
 public:
  // Starts the thread, named `thread_name` (15 characters are shown).
  explicit EventLoop(const std::string& thread_name);

  // Runs what was posted before, drops timers, joins the thread. Not from the loop's own thread.
  // The listeners and connections of the loop are gone by then. Waits for a name resolution under
  // way.
  ~EventLoop() override;

  void Post(Task task) override;
  TimerId PostAfter(int64_t delay_ns, Task task) override;
  void Cancel(TimerId timer) override;

  absl::StatusOr<std::unique_ptr<Listener>> Listen(const std::string& address) override;
  void Connect(const std::string& address, ConnectCallback done) override;
  absl::StatusOr<std::unique_ptr<DatagramSocket>> BindDatagram(const std::string& address) override;

  // Whether the caller is the loop's thread.
  bool IsCurrent() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cairn::env
