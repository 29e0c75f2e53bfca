// Workload: the clients of a simulation. Each is an endless chain of requests with pauses, to
// machines by chance; all that they are told goes into the History.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/partition.h"
#include "sim/sim_cluster.h"

namespace cairn::sim {

class Client;

class Workload {
 public:
  explicit Workload(SimCluster& cluster);
  ~Workload();

  // Clients begin; they never end by themselves.
  void Start();
  // No new requests but those of Probe.
  void Stop();
  bool stopped() const { return stopped_; }

  // Sends one batch to every partition, again and again until each was acknowledged. Which one was
  // not; empty when all were.
  std::string Probes();

  uint64_t reads() const { return reads_; }
  void CountRead() { ++reads_; }

 private:
  class Probe;
  void StartProbes();
  SimCluster& cluster_;
  bool stopped_ = false;
  uint64_t reads_ = 0;
  std::vector<std::shared_ptr<Client>> clients_;
  std::vector<std::shared_ptr<Probe>> probes_;
};

}  // namespace cairn::sim
