// Faults: what befalls the machines of a simulation and the network between them, by chance.
//
// Loses no more than the cluster promises to survive: one disk at a time is wiped or rots, and the
// next one only when the cluster has healed. Everything else may befall all machines at once.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "sim/sim_cluster.h"

namespace cairn::sim {

enum class Fault : uint8_t {
  kCrash,         // power cut, at a moment of its own or in the middle of the disk's work; restart
  kClusterCrash,  // of all machines at once
  kWipe,          // comes back with an empty disk, as a new node
  kPause,         // stands still, and goes on as if nothing had happened
  kSlowDisk,
  kEio,     // disk and stable store fail now and then
  kEnospc,  // the disk is full
  kRot,     // a bit of a closed segment flips
  kDelay,   // of one direction between two machines
  kReset,   // of connections
  kCut,     // machines are split into two groups
  kOneWay,  // one direction between two machines
  kClock,   // a wall clock jumps
  kDrain,   // a node is drained, and taken back or removed
};
inline constexpr size_t kFaults = 14;
std::string_view ToString(Fault fault);

class FaultSet {
 public:
  // "all", "none", or names with commas. Errors: INVALID_ARGUMENT listing the names.
  static absl::StatusOr<FaultSet> Parse(std::string_view text);

  bool Has(Fault fault) const { return (bits_ >> static_cast<unsigned>(fault) & 1) != 0; }
  bool empty() const { return bits_ == 0; }
  void Add(Fault fault) { bits_ |= uint32_t{1} << static_cast<unsigned>(fault); }
  // As Parse reads it.
  std::string ToString() const;

 private:
  uint32_t bits_ = 0;
};

class Faults {
 public:
  Faults(SimCluster& cluster, FaultSet set)
      : cluster_(cluster), world_(cluster.world()), set_(set) {}

  void Start();
  // Ends all that is under way and starts what is off. What is lost stays lost.
  void Heal();
  // A node that is empty and was let go comes back as a new one.
  void WipeRemoved();

  using Counts = std::array<uint64_t, kFaults>;
  const Counts& counts() const { return counts_; }

 private:
  void Next();
  void Do(Fault fault);
  void Crash(size_t number);
  void Restart(size_t number, int64_t low_ms, int64_t high_ms);
  bool MayNotLose();
  void Lose(Fault fault, int tries);
  void Split();
  void Drain();
  // Calls `what` in `low` to `high` ms, unless all was healed by then.
  template <typename What>
  void Later(int64_t low_ms, int64_t high_ms, What what);
  size_t AnyMachine() { return world_.dice.Below(cluster_.size()); }
  // Two different machines.
  std::pair<size_t, size_t> AnyTwo();

  SimCluster& cluster_;
  World& world_;
  const FaultSet set_;
  Counts counts_{};
  bool healed_ = false;
  bool losing_ = false;  // a disk was lost, and the cluster has not healed yet
};

}  // namespace cairn::sim
