// Controller: this node's replica of group 0, and the metadata that its log adds up to.
//
// Every node has one. On the leader of the group commands can be proposed; on every node they are
// applied as they are committed, and whoever needs the metadata is handed an unchanging copy.
//
//   controller/                     the log of group 0, as a partition's
//   controller/metadata.snapshot    the metadata after a prefix of the log; what lets the log be
//   cut
//
// Belongs to a shard's loop, but for what is marked.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "cluster/command.h"
#include "cluster/metadata.h"
#include "cluster/metadata_snapshot.h"
#include "consensus/core_state.h"
#include "consensus/raft_replica.h"
#include "consensus/replica.h"
#include "env/clock.h"
#include "env/executor.h"
#include "env/file_system.h"

namespace cairn::cluster {

// How the log of group 0 is kept. Metadata changes seldom: small segments let the log be cut soon.
struct MetadataLogOptions {
  uint64_t segment_bytes = 1 << 20;
  // After this many commands the metadata is written out and the log before it let go.
  uint64_t compact_every = 4096;
};

// The metadata at one point of the log. Unchanging, shared by all who read it.
struct MetadataView {
  Metadata metadata;
  Offset applied;  // commands below are in it
};

class Controller final : public consensus::Replica::Owner,
                         public std::enable_shared_from_this<Controller> {
 public:
  struct Dependencies {
    env::FileSystem* fs;
    env::Clock* clock;
    env::Executor* loop;
    std::string data_dir;
    MetadataLogOptions log = {};
  };
  // On the loop, after each change.
  struct Listener {
    std::function<void(std::shared_ptr<const MetadataView>)> on_metadata;
    std::function<void(NodeId leader)> on_leader;
    // The log holds a command that this program does not understand, or that is damaged or cannot
    // be read: nothing more is applied before it is repaired, or read.
    std::function<void(const absl::Status&)> on_stuck;
  };
  using Done = absl::AnyInvocable<void(absl::StatusOr<CommandResult>, Offset applied)>;

  Controller(Dependencies dependencies, Listener listener);

  // The log of group 0, made when it is not there: with a first entry that names `first_voter`
  // when that is not 0, empty otherwise. Loads the snapshot. Blocking; once, before SetReplica.
  // Errors: DATA_LOSS, UNIMPLEMENTED (Metadata::Decode), those of the log.
  struct Opened {
    std::unique_ptr<log::Log> log;
    // DATA_LOSS: it is damaged where it says which terms it holds.
    absl::StatusOr<consensus::CoreState> state;
  };
  absl::StatusOr<Opened> Open(consensus::StableStore& stable, const base::Uuid& cluster_id,
                              NodeId first_voter);
  void SetReplica(std::shared_ptr<consensus::RaftReplica> replica);
  consensus::RaftReplica& replica() { return *replica_; }
  std::shared_ptr<consensus::RaftReplica> shared_replica() const { return replica_; }
  // The log while it is too damaged for a replica; null when it is not. Any thread.
  std::shared_ptr<log::Log> damaged_log() const;
  void SetDamagedLog(std::shared_ptr<log::Log> log);
  // The log is whole again: what could not be read of it can be applied.
  void OnRepaired();

  // As the group's leader; `done` gets the outcome once the command is committed and applied, and
  // the offset behind it, on the loop. Errors of Apply; UNAVAILABLE with NOT_LEADER.
  void Propose(const Command& command, Done done);

  // Any thread.
  std::shared_ptr<const MetadataView> view() const;
  // Whether anything is known, in this run, of what the group has committed. Until then the view
  // is that of the last snapshot, and what is not in it may well exist. Any thread.
  bool informed() const { return informed_.load(std::memory_order_acquire); }

  // Calls `done` on the loop once the metadata here includes what is below `offset`. Any thread.
  void WhenApplied(Offset offset, absl::AnyInvocable<void()> done);

  // As consensus::Replica::DropWaiting.
  void DropWaiting();

  // ---- Replica::Owner ----
  void OnCommitted(Offset high_watermark) override;
  void OnAppended(std::span<const log::Entry>) override {}
  void OnTruncated(Offset) override {}
  void OnAbandoned(const absl::Status& error) override;
  // Also when a damaged prefix of the log is dropped that others have no more.
  BeforeReset OnReset(Offset start, const std::string& state) override;
  std::string SnapshotState() override;
  void OnLeader(NodeId leader) override;

 private:
  absl::Status ApplyUpTo(Offset end);
  void ApplyLater();
  void ApplyAgain();
  void Publish();
  void Tell();
  void MaybeCompact();

  const Dependencies dependencies_;
  const Listener listener_;
  const std::string directory_;
  const std::shared_ptr<MetadataSnapshotFile> snapshot_;
  std::shared_ptr<consensus::RaftReplica> replica_;

  Metadata metadata_;
  Offset applied_;
  Offset high_watermark_;
  absl::Status stuck_;
  std::atomic<bool> informed_{false};
  bool compacting_ = false;
  uint64_t applied_since_snapshot_ = 0;  // commands
  std::map<Offset, Done> proposals_;     // by the offset of the command
  std::multimap<Offset, absl::AnyInvocable<void()>> waiting_;

  mutable base::Mutex mutex_;
  std::shared_ptr<const MetadataView> view_ CAIRN_GUARDED_BY(mutex_);
  std::shared_ptr<log::Log> damaged_log_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn::cluster
