// What a SimFileSystem shares with its open files. Internal to the simulated file system.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/mutex.h"
#include "env/sim_fault.h"
#include "env/sim_random.h"
#include "env/sim_tree.h"

namespace cairn::env {

class SimCore {
 public:
  SimCore(uint64_t seed, SimTree tree) : random(seed), tree_(std::move(tree)) {}

  // A call that has been counted, announced to the hook and given its fault.
  struct Call {
    std::string_view operation;  // for messages
    const std::string& path;
    SimFault fault;
    uint64_t epoch;  // the one it was made in; from the hook, a crash may begin another
  };
  Call Begin(SimOp op, std::string_view operation, const std::string& path) CAIRN_EXCLUDES(mutex);

  // The failure of a call for reasons that lie outside it: its fault, or a crash. OK for a short
  // write. `epoch` is that of the object the call is made on.
  absl::Status Refusal(const Call& call, uint64_t epoch) const CAIRN_REQUIRES(mutex);

  // How many crashes and kills there were.
  uint64_t epoch() const CAIRN_REQUIRES(mutex) { return epoch_; }
  SimTree& tree() CAIRN_REQUIRES(mutex) { return tree_; }
  void Restart(SimTree tree) CAIRN_REQUIRES(mutex);

  void SetHook(SimHook hook) CAIRN_EXCLUDES(mutex);
  void SetInjector(SimFaultInjector injector) CAIRN_EXCLUDES(mutex);
  void FailCall(uint64_t number, SimFault fault) CAIRN_EXCLUDES(mutex);
  void FailNext(SimOp op, std::string path_part, SimFault fault, int times) CAIRN_EXCLUDES(mutex);
  void ClearFaults() CAIRN_EXCLUDES(mutex);
  uint64_t call_count() const CAIRN_EXCLUDES(mutex);
  uint64_t call_count(SimOp op) const CAIRN_EXCLUDES(mutex);

  // Dice for what a failed sync leaves behind.
  CrashDice FaultDice() CAIRN_REQUIRES(mutex) {
    return CrashDice(CrashChoice::Random(random.Next()), tree_.next_sequence());
  }

  mutable base::Mutex mutex;
  SimRandom random;

 private:
  struct Plan {
    uint64_t number;  // 0: decided by `op` and `path_part`
    SimOp op;
    std::string path_part;
    SimFault fault;
    int times;
  };

  SimFault PlannedFault(const SimCall& call) CAIRN_REQUIRES(mutex);

  SimTree tree_ CAIRN_GUARDED_BY(mutex);
  uint64_t epoch_ CAIRN_GUARDED_BY(mutex) = 0;
  uint64_t call_count_ CAIRN_GUARDED_BY(mutex) = 0;
  std::array<uint64_t, kSimOps> call_counts_ CAIRN_GUARDED_BY(mutex) = {};
  std::vector<Plan> plans_ CAIRN_GUARDED_BY(mutex);
  // Shared with the calls under way, which run them without the lock.
  std::shared_ptr<const SimHook> hook_ CAIRN_GUARDED_BY(mutex);
  std::shared_ptr<const SimFaultInjector> injector_ CAIRN_GUARDED_BY(mutex);
};

}  // namespace cairn::env
