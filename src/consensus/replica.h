// Replica: what a partition asks of the thing that orders, persists and commits its batches.
//
// LocalReplica (one replica: committed when on disk here) implements it, and so does a Raft group.
// The partition above does not know which. Everything runs on the shard's thread unless it says
// otherwise.
#pragma once

#include <memory>

#include "absl/functional/any_invocable.h"
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
    // Everything below `high_watermark` is committed: durable on a majority, never to be lost.
    virtual void OnCommitted(Offset high_watermark) = 0;
    // The proposals from `from` on are not stored and never will be; the next one gets offset
    // `from`. `error` is what their producers are told. Codes as in Partition::Produce.
    virtual void OnRejected(Offset from, const absl::Status& error) = 0;
  };

  virtual ~Replica() = default;

  // Takes `batch`, which passed ValidateBatch, as the next of the log and returns the header it
  // got. Not durable: OnCommitted or OnRejected tells. Errors: UNAVAILABLE when nothing can be
  // proposed now (with reason NOT_LEADER or DISK_FAILED); the batch is then certainly not stored.
  virtual absl::StatusOr<log::EntryHeader> Propose(log::Batch batch) = 0;

  // The offset that the next proposal gets.
  virtual Offset next_offset() const = 0;

  // Where committed entries are read. The object changes when the log is opened again after a disk
  // fault; readers keep theirs. Thread-safe.
  virtual std::shared_ptr<const log::Log> log() const = 0;

  // Runs `operation` on the log in its writer's place, between groups of writes. `done` gets its
  // result on the shard's thread; UNAVAILABLE when the log is not open.
  using LogOperation = absl::AnyInvocable<absl::Status(log::Log&)>;
  virtual void RunOnLog(LogOperation operation, absl::AnyInvocable<void(absl::Status)> done) = 0;

  // Rejects what is not committed once what is being written is done, closes the log cleanly, then
  // calls `done` with the outcome. Nothing may be called afterwards.
  virtual void Stop(absl::AnyInvocable<void(absl::Status)> done) = 0;
};

}  // namespace cairn::consensus
