// GroupCommit: one round of write + fdatasync for everything of a shard that waits.
//
// While the disk executor works on one group, the next one gathers. All files of a group are synced
// at once (env::FileSystem::SyncAll): for 64 files that is 40 times faster than one after the other
// on ext4.
//
// Belongs to a shard's loop thread; the disk work runs on the shard's disk executor.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "consensus/raft_counters.h"
#include "env/clock.h"
#include "env/executor.h"
#include "env/file_system.h"
#include "log/entry.h"
#include "log/log.h"
#include "log/log_start.h"

namespace cairn::consensus {

// What is to be done to one log, in this order.
struct LogWork {
  std::function<absl::Status()> before_reset;  // done first, when it is not empty
  std::optional<log::LogStart> reset;          // drop everything; the log begins here
  std::optional<Index> truncate_from;          // cut the entries with this index and later ones
  std::vector<log::Entry> entries;             // append

  bool empty() const { return !reset && !truncate_from && entries.empty(); }
};

class GroupCommit {
 public:
  // One log with work to persist. Called on the loop thread.
  class Source {
   public:
    virtual ~Source() = default;
    // Hands over what waits, for `writable_log`. Empty: nothing after all.
    virtual LogWork TakePending() = 0;
    virtual std::shared_ptr<log::Log> writable_log() = 0;
    // The work taken is durable, or its entries are not stored (RESOURCE_EXHAUSTED), or are in an
    // unknown state, the log having failed. Work comes back in the order in which it was taken;
    // when it is durable, the disk may already be busy with what was taken next.
    virtual void OnPersisted(const LogWork& work, const absl::Status& status) = 0;
  };

  // All of it outlives the group commit and what it has posted.
  GroupCommit(env::FileSystem& fs, const env::Clock& clock, env::Executor& loop,
              env::Executor& disk, RaftCounters& counters)
      : fs_(fs), clock_(clock), loop_(loop), disk_(disk), counters_(counters) {}

  // Makes `source` part of the next group. It stays alive until OnPersisted or Forget.
  void Schedule(std::shared_ptr<Source> source);

  // Runs `work` on the disk executor between groups, then `done` on the loop.
  void Run(absl::AnyInvocable<absl::Status()> work, absl::AnyInvocable<void(absl::Status)> done);

  // Rounds so far. Any thread.
  uint64_t groups() const { return groups_.load(std::memory_order_relaxed); }

 private:
  struct Group;
  void Persist(Group& group);
  void StartIfIdle();
  void Finish(std::unique_ptr<Group> group);

  env::FileSystem& fs_;
  const env::Clock& clock_;
  env::Executor& loop_;
  env::Executor& disk_;
  RaftCounters& counters_;
  std::vector<std::shared_ptr<Source>> scheduled_;
  bool start_posted_ = false;
  bool busy_ = false;
  std::atomic<uint64_t> groups_{0};
};

}  // namespace cairn::consensus
