// NodePartition: a partition of the cluster, as this node serves it: reads from the replica here,
// appends through the leader wherever it is.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "broker/partition.h"
#include "cluster/node.h"

namespace cairn::cluster {

class NodePartition final : public broker::Partition,
                            public std::enable_shared_from_this<NodePartition> {
 public:
  // Lives in a shared_ptr: answers come after whoever asked may have let go of it. `node` outlives
  // it: streams are drained before a node stops.
  NodePartition(Node& node, std::string name, GroupId group);

  void Produce(log::Batch batch, std::optional<Offset> expected_offset,
               ProduceCallback done) override;
  void PostBehindAnswers(absl::AnyInvocable<void()> task) override;
  Offset log_start() const override;
  Offset high_watermark() const override;
  absl::StatusOr<broker::FetchResult> Fetch(Offset from, size_t max_bytes) override;
  void CountConsumed(uint64_t records, uint64_t bytes) override;
  absl::StatusOr<Offset> OffsetForTimestamp(int64_t timestamp_ms) override;
  WaitId WaitForData(Offset from, WaitCallback ready) override;
  void CancelWait(WaitId wait) override;
  void ReadBarrier(absl::AnyInvocable<void(absl::Status)> done) override;

 private:
  // The replica here, found again when it was not there before. Null: there is none, or it could
  // not be opened.
  std::shared_ptr<const broker::HostedReplica> Local() const;
  absl::Status NoReplica(const std::shared_ptr<const broker::HostedReplica>& local) const;
  // `error`, with the leader's address when it says that this node does not lead.
  absl::Status WithLeader(const absl::Status& error) const;

  Node& node_;
  const std::string name_;  // "orders/2"
  const GroupId group_;
  mutable base::Mutex mutex_;
  mutable std::shared_ptr<const broker::HostedReplica> local_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn::cluster
