// StableStore: what a node must not forget about its Raft groups: each group's (term, vote), and
// the configurations that its log holds.
//
// Configurations stand in the log as well; here they are found without reading it. They are written
// here before their entry goes to the log, so each one of the log is here. One here that is not in
// the log (the entry was never written, or was cut off) is told by its term and index, and passed
// over.
//
//   key    "g" group (16 hex digits) "v"                  value   term (4) vote (4)
//   key    "g" group (16 hex digits) "c" index (16 hex)   value   term (4) Configuration::Encode
//   key    "d" group (16 hex digits)                      value   term (4) index (8)
//   key    "metadata-floor"                               value   offset (8)
//
// One for all groups of a node: what waits while the disk works is made durable together.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "base/types.h"
#include "consensus/configuration.h"
#include "env/executor.h"
#include "env/key_value_store.h"

namespace cairn::consensus {

// Thread-safe. Outlives the tasks it posted.
class StableStore {
 public:
  struct StoredConfiguration {
    Term term;
    Configuration configuration;
  };
  // The group let this node go, and this node forgot what it had promised: all of that lies within
  // what the group had committed up to `index`, in `term`. 0 and 0: it never did.
  struct Departure {
    Term term;
    Index index;
  };
  struct GroupState {
    Term term;
    NodeId vote;
    std::map<Index, StoredConfiguration> configurations;
    Departure departure;
  };

  // `store` and `disk`, on which it blocks, outlive this.
  StableStore(env::KeyValueStore& store, env::Executor& disk) : store_(store), disk_(disk) {}

  // What is known of a group; nothing (term 0) for a new one. Blocking. Errors: DATA_LOSS for a
  // value that does not decode, naming the group; those of the store.
  absl::StatusOr<GroupState> Load(GroupId group) const;

  // The groups that something is known of. Blocking.
  absl::StatusOr<std::vector<GroupId>> Groups() const;

  // A set of changes of one group, to be made together.
  class Changes {
   public:
    explicit Changes(GroupId group) : group_(group) {}
    void SetVote(Term term, NodeId vote);
    void SetConfiguration(Index index, Term term, const Configuration& configuration);
    void RemoveConfiguration(Index index);
    bool empty() const { return changes_.empty(); }

   private:
    friend class StableStore;
    GroupId group_;
    std::vector<env::KeyValueStore::Change> changes_;
  };
  // Makes the changes durable, then runs `done` on `loop`. Changes come in the order of the calls.
  // A failed one says nothing about what is on disk.
  void Write(Changes changes, env::Executor& loop, absl::AnyInvocable<void(absl::Status)> done);
  // The same at once. Blocking.
  absl::Status WriteNow(Changes changes);

  // Forgets a group, but for its departure. Durable on return. Blocking.
  absl::Status Remove(GroupId group);
  // Replaces the last departure. Before Remove. Durable on return. Blocking.
  absl::Status Depart(GroupId group, Departure departure);

  // An offset of the controller's log: metadata older than this may ask for replicas that this node
  // had, left and forgot, and in whose groups it must not begin anew. 0 at first. Never goes back.
  // Blocking.
  absl::StatusOr<Offset> MetadataFloor() const;
  absl::Status RaiseMetadataFloor(Offset floor);

 private:
  struct Waiting {
    std::vector<env::KeyValueStore::Change> changes;
    env::Executor* loop;
    absl::AnyInvocable<void(absl::Status)> done;
  };
  void WriteWaiting();

  env::KeyValueStore& store_;
  env::Executor& disk_;
  base::Mutex mutex_;
  std::vector<Waiting> waiting_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn::consensus
