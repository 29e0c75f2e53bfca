// Replica: what a partition asks of the thing that orders, persists and commits its batches.
//
// RaftReplica implements it: committed means durable on a majority of the group's voters. The
// partition above does not know how many there are. Everything runs on the shard's thread unless it
// says otherwise.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/types.h"
#include "log/batch.h"
#include "log/entry.h"
#include "log/log.h"

namespace cairn::consensus {

class Replica {
 public:
  // The partition. Called on the shard's thread, never from within a call to the replica.
  class Owner {
   public:
    virtual ~Owner() = default;
    // Everything below `high_watermark` is committed (durable on a majority, never to be lost) and
    // can be read here.
    virtual void OnCommitted(Offset high_watermark) = 0;
    // Batches that another node leads were appended here, in order; not committed yet.
    virtual void OnAppended(std::span<const log::Entry> batches) = 0;
    // The batches from `from` on are not stored and never will be; the next one gets offset `from`.
    virtual void OnTruncated(Offset from) = 0;
    // What was proposed and is not committed will not be reported any more: `error` is what its
    // producers are told. Codes as in Partition::Produce. Unless OnTruncated came first, the
    // batches may be committed all the same.
    virtual void OnAbandoned(const absl::Status& error) = 0;
    // The log is being dropped and will begin at `start`, in the state that SnapshotState gave
    // elsewhere; OnCommitted follows when the disk has done it. What it returns, which may be
    // empty, runs in the log's writer's place first: unless it succeeds, the log stays.
    using BeforeReset = std::function<absl::Status()>;
    virtual BeforeReset OnReset(Offset start, const std::string& state) = 0;
    // What a replica that lost the beginning of the log needs beside the log's start.
    virtual std::string SnapshotState() = 0;
    // The group's leader changed, as far as this node knows. 0: there is none.
    virtual void OnLeader(NodeId leader) = 0;
  };

  virtual ~Replica() = default;

  // Takes `batch`, which passed ValidateBatch, as the next of the log and returns the header it
  // got. Not durable: OnCommitted or OnAbandoned tells. Errors, the batch certainly not being
  // stored: UNAVAILABLE with reason NOT_LEADER (leader_id, when it is known) or DISK_FAILED;
  // RESOURCE_EXHAUSTED with OVERLOADED.
  virtual absl::StatusOr<log::EntryHeader> Propose(log::Batch batch) = 0;

  // Runs `propose` at once: what it hands to Propose goes on its way in one step, which costs less
  // than as many. Not within itself. An error: of those proposals none was taken, and whoever made
  // them takes back what it noted of them; codes as in Propose.
  virtual absl::Status ProposeTogether(absl::FunctionRef<void()> propose) = 0;

  // Why Propose would refuse now; OK when it would take a batch.
  virtual absl::Status CheckProposable() const = 0;

  // The offset that the next proposal gets.
  virtual Offset next_offset() const = 0;

  // Where committed entries are read. The object changes when the log is opened again after a disk
  // fault; readers keep theirs. Thread-safe.
  virtual std::shared_ptr<const log::Log> log() const = 0;

  // Calls `done` with OK once everything that was committed anywhere when this was called is
  // committed here, proven by a round to a majority: then reads here are linearizable. Errors:
  // UNAVAILABLE with NOT_LEADER on any node but the leader, or when the proof did not come.
  virtual void ReadBarrier(absl::AnyInvocable<void(absl::Status)> done) = 0;

  // Runs `operation` on the log in its writer's place, between groups of writes. `done` gets its
  // result on the shard's thread; UNAVAILABLE when the log is not open.
  using LogOperation = absl::AnyInvocable<absl::Status(log::Log&)>;
  virtual void RunOnLog(LogOperation operation, absl::AnyInvocable<void(absl::Status)> done) = 0;

  // Abandons what is not committed once what is being written is done, closes the log cleanly, then
  // calls `done` with the outcome. Nothing may be called afterwards.
  virtual void Stop(absl::AnyInvocable<void(absl::Status)> done) = 0;

  // Drops who waits, uncalled, instead of Stop: the process ends here. Nothing may be called
  // afterwards.
  virtual void DropWaiting() = 0;
};

}  // namespace cairn::consensus
