// Machine: one simulated computer that runs a cluster::Node: disk, stable store, clock, threads, a
// host on the network; and what can happen to it.
//
//   loop, disk, reader, io    MachineExecutors: the node's threads; disk and reader take time
//
// A crash takes the machine's disk as a power cut would leave it, destroys the node without Stop,
// and what was on its way in its threads with it. Stable store: durable at once, unless wiped.
//
// Belongs to the simulation's thread. Its functions are called from the fabric's tasks, not from
// those of a node.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cluster/node.h"
#include "consensus/raft_replica.h"
#include "env/sim_file_system.h"
#include "env/sim_key_value_store.h"
#include "sim/machine_executor.h"
#include "sim/world.h"

namespace cairn::sim {

// A good disk: up to 0.4 ms for a write with its sync.
inline constexpr int64_t kUsualDiskNs = 400'000;

class Machine {
 public:
  struct Options {
    std::string name;
    std::vector<std::string> others;  // addresses of the other machines
    broker::BrokerOptions broker;
    broker::RaftTimeouts timeouts;
    cluster::MetadataLogOptions metadata_log;
    bool founds = false;  // its first start forms the cluster
  };

  Machine(World& world, Options options, uint64_t seed);
  ~Machine();

  const std::string& name() const { return options_.name; }
  std::string address() const { return options_.name + ":7000"; }

  // Starts the node, on what the disk holds.
  void Boot();
  // Power cut. `silent`: the others hear nothing of it; otherwise their streams are reset.
  void Crash(bool silent);
  // A power cut at the `mutations`th change of the disk from now on, wherever in the program that
  // is; also while it starts.
  void CrashAt(uint64_t mutations);
  // Off, and its disk is exchanged for an empty one.
  void Wipe();

  // Up, and not paused: can be talked to.
  bool works() const { return boot_ != nullptr && !doomed_ && !paused_; }
  bool up() const { return boot_ != nullptr && !doomed_; }
  bool paused() const { return paused_; }
  cluster::Node& node() { return *boot_->node; }
  // Those that are open, the controller's first.
  std::vector<std::shared_ptr<consensus::RaftReplica>> Replicas() const;
  // Counts starts: what belongs to an earlier one is void.
  uint64_t boot_number() const { return boot_number_; }

  void Pause();
  void Resume();
  // Each task of the disk takes up to this long.
  void SetDiskLatency(int64_t max_ns) { disk_latency_ns_ = max_ns; }
  // Of 1000 calls that write or sync, so many fail with EIO.
  void SetIoErrors(uint64_t permille);
  // Of those that read, open or look.
  void SetReadErrors(uint64_t permille) { read_error_permille_ = permille; }
  // The next such call for a file with this in its path fails with EIO.
  void FailNext(env::SimOp op, const std::string& path_part);
  // The disk is full but for this many bytes; UINT64_MAX: roomy again.
  void SetFreeBytes(uint64_t bytes);
  void SetStableStoreFails(bool fails);
  void StepWallClock(int64_t delta_ms) { wall_offset_ms_ += delta_ms; }
  // Flips one bit of what is committed in the first of several segments of a log, or of its first
  // entry's header, which tells the term; or in any segment or small file of which the node has two
  // copies. False when there is none.
  enum class Rotting { kBeginning, kFirstEntry, kAnything };
  bool Rot(Rotting what);
  bool rotten() const { return rotten_; }
  uint64_t flips() const { return flips_; }
  // How often the node said that it has repaired a log.
  uint64_t repairs() const { return repairs_; }
  // Whether a flipped bit is still on the disk, in a file that is still there.
  bool RotRemains();

  // Keeps what a client uses until its call is answered, or the machine is dead.
  uint64_t Hold(std::shared_ptr<broker::Partition> partition);
  void Release(uint64_t hold);

  // While it lives, nothing that this machine's disk is asked to do fails: for checkers.
  class Calm {
   public:
    explicit Calm(Machine& machine) : machine_(machine), before_(machine.calm_) {
      machine_.calm_ = true;
    }
    ~Calm() { machine_.calm_ = before_; }

   private:
    Machine& machine_;
    const bool before_;
  };

 private:
  class MachineClock;
  class BootStore;

  // What a start makes and a crash takes away. Destroyed from the bottom up, but for what Bury
  // does.
  struct Running {
    Running(World& world, Machine& machine, uint64_t seed);
    env::SimRandom random;
    std::array<MachineExecutor, 2> loops;
    std::array<MachineExecutor, 2> disks;
    MachineExecutor reader;
    MachineExecutor io;
    std::unique_ptr<env::Network> network;
    std::unique_ptr<consensus::PeerDialer> dialer;
    std::unique_ptr<cluster::Node> node;
    std::unique_ptr<env::Listener> listener;
    std::map<uint64_t, std::shared_ptr<broker::Partition>> held;

    template <typename Do>
    void ForEachExecutor(Do what) {
      for (auto& one : loops) what(one);
      for (auto& one : disks) what(one);
      what(reader);
      what(io);
    }
  };

  void InstallFaults();
  void TakeImage();
  void Bury();
  void AcceptNext();
  int64_t DiskLatency();
  std::string Around(const std::string& path, uint64_t byte);

  World& world_;
  const Options options_;
  env::SimRandom dice_;  // of its own, so that machines do not disturb each other's fates
  std::unique_ptr<env::Clock> clock_;
  std::unique_ptr<env::SimFileSystem> fs_;
  std::unique_ptr<env::SimKeyValueStore> store_;
  std::unique_ptr<Running> boot_;
  uint64_t boot_number_ = 0;
  bool founded_ = false;

  // The power is gone; what the disk will hold.
  bool doomed_ = false;
  bool opening_ = false;
  bool silent_ = false;
  std::unique_ptr<env::SimFileSystem> image_;
  std::unique_ptr<env::SimKeyValueStore> store_image_;
  uint64_t crash_at_ = 0;  // mutations left; 0: none is planned

  bool paused_ = false;
  bool calm_ = false;
  bool rotten_ = false;
  uint64_t flips_ = 0;
  uint64_t repairs_ = 0;
  struct FlippedBit {
    std::string path;
    uint64_t byte;
    std::string around;  // with the flipped bit
  };
  std::vector<FlippedBit> flipped_;
  int64_t disk_latency_ns_;
  uint64_t io_error_permille_ = 0;
  uint64_t read_error_permille_ = 0;
  int64_t wall_offset_ms_ = 0;
  uint64_t next_hold_ = 1;
};

}  // namespace cairn::sim
