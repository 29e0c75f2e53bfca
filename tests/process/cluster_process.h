// A cluster of `cairn server` processes on this machine, each with its own directory and port.
//
// Nodes are numbered from 0 and called n1, n2, …; node 0 forms the cluster, the others join through
// it. A node keeps its address over all its lives.
#pragma once

#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/types.h"
#include "consensus/configuration.h"
#include "process/child_process.h"
#include "process/history.h"
#include "process/server_process.h"

namespace cairn::testing {

struct ClusterOptions {
  int nodes = 3;
  // Per node: what stands before the command, and flags of its own. Empty, or one for each.
  std::vector<std::vector<std::string>> prefixes = {};
  std::vector<std::vector<std::string>> flags = {};
};

class ClusterProcess {
 public:
  explicit ClusterProcess(ClusterOptions options = {});

  // Starts all, and waits until they are one cluster in which every node votes on partition 0 of
  // the topic "default" and on the cluster's metadata (three of them where there are more).
  void Start();

  // Adds a node, started, that joins through those there are. Returns its number.
  size_t AddNode(const std::vector<std::string>& flags = {});

  void Kill(size_t node) { nodes_[node]->Kill(); }
  void Pause(size_t node);
  void Resume(size_t node) { nodes_[node]->Signal(SIGCONT); }
  // SIGTERM, and waits for its end, which has to be a clean one.
  void Terminate(size_t node);
  // Starts a node that has ended.
  void Restart(size_t node);
  // Removes the directory of a node that has ended.
  void Wipe(size_t node);

  size_t size() const { return nodes_.size(); }
  ServerProcess& node(size_t node) { return *nodes_[node]; }
  static std::string NameOf(size_t node) { return "n" + std::to_string(node + 1); }
  std::vector<std::string> addresses() const;
  bool IsRunning(size_t node) { return !nodes_[node]->Ended(); }

  // The node that says of itself that it leads partition 0 of "default", if only one of those not
  // in `without` does. `AwaitLeader` fails the test when there is none in time.
  std::optional<size_t> FindLeader(const std::vector<size_t>& without = {});
  size_t AwaitLeader(const std::vector<size_t>& without = {});
  // A node that runs and is not `leader`.
  size_t OtherThan(size_t leader) const { return (leader + 1) % nodes_.size(); }

  // The last configuration in the log of a group on a node's disk, committed or not. Empty when
  // there is none. May be asked while the node runs.
  consensus::Configuration ConfigurationOnDisk(size_t node, const std::string& log);
  // The term of the last entry there; 0 when there is none.
  Term LastTermOnDisk(size_t node, const std::string& log);
  static constexpr char kControllerLog[] = "controller";
  static constexpr char kDefaultLog[] = "topics/default~1/0";
  // Waits until the log of a group on every running node says that so many vote.
  void AwaitVoters(const std::string& log, size_t voters);

  // Every replica of "default", read whole from each running node once all of them have the same
  // high watermark; fails the test when that does not happen.
  std::vector<ReplicaContent> ReadReplicas();
  // The end of a test: what clients saw and what the nodes hold agree; so do the bytes on disk, of
  // which this prints the hash. Stops all nodes, cleanly.
  void ExpectConsistent(const History& history);

 private:
  std::vector<std::string> FlagsOf(size_t node) const;
  // Of every entry of the log that is below `end`, header and body; and how many there are.
  std::string DigestOnDisk(size_t node, const std::string& log, uint64_t end_index);
  uint64_t LastIndexOnDisk(size_t node, const std::string& log);

  const ClusterOptions options_;
  const ScratchDir scratch_;
  std::vector<std::unique_ptr<ServerProcess>> nodes_;
  std::vector<std::vector<std::string>> flags_;  // of nodes that were added
};

}  // namespace cairn::testing
