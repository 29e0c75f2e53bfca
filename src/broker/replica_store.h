// ReplicaStore: the partition replicas of a node on disk.
//
//   topics/NAME~NUMBER/PARTITION   a replica's log, of the group NUMBER << 16 | PARTITION
//   …/~creating-PARTITION          a replica being made; renamed when whole
//   …/~deleted-PARTITION           a replica being removed
//
// What a topic is stands in the cluster's metadata, not here. A topic's number is never reused, so
// a new topic of an old name meets nothing of the old one. The tilde is no legal character of a
// topic name.
//
// All functions block. One thread at a time.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/types.h"
#include "broker/topic.h"
#include "consensus/configuration.h"
#include "consensus/core_state.h"
#include "consensus/stable_store.h"
#include "env/clock.h"
#include "env/file_system.h"
#include "log/log.h"

namespace cairn::broker {

// A replica of a partition, as it is to be on this node.
struct ReplicaSpec {
  TopicInfo topic;
  PartitionId partition;
  GroupId group;
  // Not empty: this node may write the group's first entry, which says that these are its voters;
  // the same on every node that may. Empty: the log begins empty and waits for a leader.
  consensus::Configuration founders;
};

class ReplicaStore {
 public:
  ReplicaStore(env::FileSystem& fs, env::Clock& clock, consensus::StableStore& stable,
               std::string directory)
      : fs_(fs), clock_(clock), stable_(stable), directory_(std::move(directory)) {}

  // Finishes what interrupted creations and removals left, makes sure that what is here survives a
  // power cut, and lists the groups whose replicas are here. Before anything else. Directories that
  // are not ours are left alone.
  absl::StatusOr<std::vector<GroupId>> Load();

  // Whether the group has a replica here.
  bool Holds(GroupId group) const;

  struct Opened {
    std::unique_ptr<log::Log> log;
    // An error when the log is damaged where it says which terms it holds: the replica can take
    // part again when it is repaired.
    absl::StatusOr<consensus::CoreState> state;
  };
  // Opens the replica, making it first when it is not there. Errors: DATA_LOSS when its directory
  // is gone although it took part in the group: a replica that forgets what it promised must not
  // vote again; those of Log::Open and LoadCoreState.
  absl::StatusOr<Opened> Open(const ReplicaSpec& spec, std::shared_ptr<log::TailCache> tail_cache,
                              log::RecoveryReport& report);

  // The replica and all it promised are gone on return, durably, but for the space. Its log is
  // closed.
  absl::Status Remove(GroupId group);

 private:
  std::string PathOf(const ReplicaSpec& spec) const;
  absl::StatusOr<std::string> FindDirectory(GroupId group) const;
  log::LogOptions LogOptionsFor(const ReplicaSpec& spec, std::string directory,
                                std::shared_ptr<log::TailCache> tail_cache) const;
  absl::Status Create(const ReplicaSpec& spec);
  absl::Status Undo(const ReplicaSpec& spec);
  absl::Status CreateIn(const ReplicaSpec& spec, const std::string& path);

  env::FileSystem& fs_;
  env::Clock& clock_;
  consensus::StableStore& stable_;
  const std::string directory_;
  // Their creation failed, so a power cut may take away what is there of them.
  std::set<GroupId> unmade_;
};

}  // namespace cairn::broker
