// LeaderTable: who leads which group, as the leaders themselves have said. For groups that have no
// replica here; the others know from Raft. Thread-safe.
#pragma once

#include "absl/container/flat_hash_map.h"
#include "base/mutex.h"
#include "base/types.h"

namespace cairn::cluster {

class LeaderTable {
 public:
  // The newest term wins.
  void Note(GroupId group, NodeId leader, Term term) {
    base::MutexLock lock(mutex_);
    Entry& entry = entries_[group];
    if (term >= entry.term) entry = {leader, term};
  }
  void Forget(GroupId group) {
    base::MutexLock lock(mutex_);
    entries_.erase(group);
  }
  // 0: unknown.
  NodeId Find(GroupId group) const {
    base::MutexLock lock(mutex_);
    const auto it = entries_.find(group);
    return it == entries_.end() ? NodeId() : it->second.leader;
  }

 private:
  struct Entry {
    NodeId leader;
    Term term;
  };
  mutable base::Mutex mutex_;
  absl::flat_hash_map<GroupId, Entry> entries_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn::cluster
