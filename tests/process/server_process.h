// A `cairn server` in a process of its own. For tests.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "cairn/client.h"
#include "process/child_process.h"

namespace cairn::testing {

class ServerProcess {
 public:
  // Starts a server on `data_dir`; the first start takes a free port, or that of `address` when
  // there is one, later ones the same one.
  explicit ServerProcess(std::string data_dir, std::string address = "")
      : data_dir_(std::move(data_dir)), address_(std::move(address)) {}
  // Kills it.
  ~ServerProcess();

  // Starts it and waits until it listens; fails the test when it ends instead. `prefix` stands
  // before the command, as in {"strace", …}.
  void Start(const std::vector<std::string>& prefix = {},
             const std::vector<std::string>& extra_flags = {});
  // As Start; false, without failing the test, when the process ends before it listens.
  bool TryStart(const std::vector<std::string>& prefix = {},
                const std::vector<std::string>& extra_flags = {});

  // SIGKILL, and waits for its end.
  void Kill();
  void Signal(int signal);
  // Waits for its end and returns the exit code (128 + N for signal N).
  int Wait();
  // Whether it has ended by itself; Wait then returns at once.
  bool Ended();

  pid_t pid() const { return pid_; }
  const std::string& address() const { return address_; }
  const std::string& gossip_address() const { return gossip_address_; }
  const std::string& data_dir() const { return data_dir_; }
  std::string log() const;     // what it wrote to stderr, over all starts
  std::string events() const;  // the same without the lines about single RPCs
  std::shared_ptr<Client> NewClient() const;
  // The value of a metric without labels; -1 when it is not there.
  double Metric(const std::string& name) const;

 private:
  const std::string data_dir_;
  std::string address_;
  std::string gossip_address_;
  const ScratchDir scratch_;
  pid_t pid_ = 0;
  int exit_code_ = -1;
};

}  // namespace cairn::testing
