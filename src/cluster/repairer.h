// Repairer: has the damaged logs of this node repaired from the other replicas, one at a time, and
// tells everybody which are.
//
// Sits between the logs, which know what was found damaged (log::Log::damages), and the other
// nodes, which have the entries (PeerMethod::kEntries). While its log is damaged a replica neither
// votes nor leads (RaftReplica::CheckDamage); when it is repaired it does again.
//
// Belongs to the controller's loop. Reading, checking and writing happens in steps on the reader's
// executor of the replica's shard, and only what changes the log in its writer's place.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "broker/replica_host.h"
#include "cluster/controller.h"
#include "cluster/peer_methods.h"
#include "consensus/peer_transport.h"
#include "env/clock.h"
#include "env/executor.h"
#include "env/file_system.h"

namespace cairn::cluster {

class Repairer : public std::enable_shared_from_this<Repairer> {
 public:
  // All of it outlives the repairer's Stop, and its executors what is queued on them then.
  struct Dependencies {
    env::FileSystem* fs;
    env::Clock* clock;
    env::Executor* loop;
    broker::ReplicaHost* host;
    std::shared_ptr<Controller> controller;
    consensus::PeerTransport* transport;
    NodeId self;
    // Whom to ask for a group's entries, the most likely to have them first.
    std::function<std::vector<NodeId>(GroupId)> sources;
    // Which logs are damaged here; as often as Look while there are some, and once when there are
    // none any more.
    std::function<void(const DamageReport&)> report;
    // The log of a partition is repaired, and its replica, which did not have all of it when it was
    // opened, is to be opened again.
    std::function<void(GroupId)> reopen;
    enum class Event { kBegun, kDone, kFailed };
    std::function<void(Event, GroupId, const std::string& words)> event;
  };
  explicit Repairer(Dependencies dependencies) : dependencies_(std::move(dependencies)) {}

  // Looks which logs are damaged, and begins to repair one when none is being repaired. To be
  // called about once a second.
  void Look();
  void Stop();

 private:
  class Job;

  // A damaged log.
  struct Patient {
    GroupId group;
    std::shared_ptr<const log::Log> log;
    env::Executor* loop = nullptr;  // the replica's
    env::Executor* reader = nullptr;
    // In the writer's place; `done` on any thread.
    std::function<void(consensus::Replica::LogOperation, absl::AnyInvocable<void(absl::Status)>)>
        run_on_log;
  };
  // Of what was tried before.
  struct Attempts {
    int64_t next_ms = 0;
    int64_t pause_ms = 0;
    std::string words;
  };

  std::vector<Patient> Damaged() const;
  Patient OfReplica(GroupId group, std::shared_ptr<consensus::RaftReplica> replica) const;
  // `here` gives the log that is in its place now.
  Patient OfClosedLog(GroupId group, std::shared_ptr<log::Log> log,
                      std::function<std::shared_ptr<log::Log>()> here) const;
  void Report(const std::vector<Patient>& patients);
  void OnJobDone(GroupId group, const absl::Status& status, const std::string& words);
  void OnRepaired(GroupId group);

  const Dependencies dependencies_;
  std::atomic<bool> stopped_{false};
  std::shared_ptr<Job> job_;
  std::map<GroupId, Attempts> attempts_;
  bool reported_ = false;  // something, the last time
};

}  // namespace cairn::cluster
