// ConsumerPositions: how far the streams that follow a partition have come, for whoever asks how
// far behind they are.
//
// Streams move their own position with a relaxed store; a scrape reads all of them.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/types.h"
#include "broker/partition.h"

namespace cairn::rpc {

// Of one partition, on this node.
struct ConsumerLag {
  uint64_t consumers = 0;    // streams that follow it
  uint64_t lag_records = 0;  // committed records that the slowest of them has not been sent
};
using ConsumerLags = std::map<std::pair<std::string, int32_t>, ConsumerLag>;

// Thread-safe.
class ConsumerPositions {
 public:
  // Of one stream, for as long as the stream keeps it.
  class Position {
   public:
    Position(std::string topic, PartitionId partition, std::shared_ptr<broker::Partition> log,
             Offset next)
        : topic_(std::move(topic)), partition_(partition), log_(std::move(log)), next_(next) {}

    // The offset behind the last record that was sent.
    void Set(Offset next) { next_.store(next, std::memory_order_relaxed); }

   private:
    friend class ConsumerPositions;
    const std::string topic_;
    const PartitionId partition_;
    const std::shared_ptr<broker::Partition> log_;  // shared with the stream
    std::atomic<Offset> next_;
  };

  std::shared_ptr<Position> Follow(std::string topic, PartitionId partition,
                                   std::shared_ptr<broker::Partition> log, Offset next);

  // Of every partition that somebody follows.
  ConsumerLags Lags() const;

 private:
  std::vector<std::shared_ptr<Position>> Open() const;

  mutable base::Mutex mutex_;
  // What has ended is dropped when the vector would grow.
  std::vector<std::weak_ptr<Position>> positions_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn::rpc
