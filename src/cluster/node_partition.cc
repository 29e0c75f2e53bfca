#include "cluster/node_partition.h"

#include <utility>

#include "base/error_info.h"
#include "base/strings.h"

namespace cairn::cluster {

NodePartition::NodePartition(Node& node, std::string name, GroupId group)
    : node_(node), name_(std::move(name)), group_(group), local_(node.host_->Find(group)) {}

std::shared_ptr<const broker::HostedReplica> NodePartition::Local() const {
  base::MutexLock lock(mutex_);
  if (local_ == nullptr) local_ = node_.host_->Find(group_);
  if (local_ != nullptr && local_->partition == nullptr) return nullptr;
  return local_;
}

absl::Status NodePartition::NoReplica(
    const std::shared_ptr<const broker::HostedReplica>& local) const {
  if (const auto found = node_.host_->Find(group_); found != nullptr && !found->status.ok()) {
    if (found->damaged_log == nullptr || node_.SourcesOf(group_).empty()) return found->status;
    // Others have what is damaged here: whoever asks is sent to them, when one of them leads.
    const auto damages = found->damaged_log->damages();
    if (node_.LeaderOf(group_).value() == 0 && !damages.empty()) {
      return log::DamagedWithoutLeader(damages.front());
    }
  }
  if (local != nullptr) return absl::OkStatus();
  const NodeId leader = node_.LeaderOf(group_);
  return WithLeader(base::MakeError(
      absl::StatusCode::kUnavailable,
      base::StrCat("this node holds no replica of ", name_,
                   leader.value() == 0 ? "; ask another" : "; ask its leader"),
      base::reason::kNotLeader,
      leader.value() == 0
          ? std::map<std::string, std::string>{}
          : std::map<std::string, std::string>{{"leader_id", base::StrCat(leader.value())}}));
}

absl::Status NodePartition::WithLeader(const absl::Status& error) const {
  auto info = base::GetErrorInfo(error);
  if (!info || info->reason != base::reason::kNotLeader) return error;
  const NodeId leader = node_.LeaderOf(group_);
  const std::string address = node_.AddressOf(leader);
  if (address.empty()) return error;
  info->metadata["leader_id"] = base::StrCat(leader.value());
  info->metadata["leader_addr"] = address;
  return base::WithErrorInfo(error, *info);
}

void NodePartition::Produce(log::Batch batch, std::optional<Offset> expected_offset,
                            ProduceCallback done) {
  const auto local = Local();
  const NodeId leader = node_.LeaderOf(group_);
  const bool leads = local != nullptr && local->replica->is_leader();
  if (!leads && leader.value() != 0 && leader != node_.id()) {
    return node_.Forward(leader, group_, std::move(batch), expected_offset, std::move(done));
  }
  if (local != nullptr) {
    return local->partition->Produce(std::move(batch), expected_offset,
                                     [self = shared_from_this(), done = std::move(done)](
                                         absl::StatusOr<broker::ProduceResult> result) mutable {
                                       if (!result.ok()) result = self->WithLeader(result.status());
                                       done(std::move(result));
                                     });
  }
  PostBehindAnswers(
      [status = NoReplica(nullptr), done = std::move(done)]() mutable { done(std::move(status)); });
}

void NodePartition::PostBehindAnswers(absl::AnyInvocable<void()> task) {
  node_.host_->executors(group_).loop->Post(std::move(task));
}

Offset NodePartition::log_start() const {
  const auto local = Local();
  return local == nullptr ? Offset() : local->partition->log_start();
}

Offset NodePartition::high_watermark() const {
  const auto local = Local();
  return local == nullptr ? Offset() : local->partition->high_watermark();
}

absl::StatusOr<broker::FetchResult> NodePartition::Fetch(Offset from, size_t max_bytes) {
  const auto local = Local();
  if (local == nullptr) return NoReplica(local);
  return local->partition->Fetch(from, max_bytes);
}

void NodePartition::CountConsumed(uint64_t records, uint64_t bytes) {
  if (const auto local = Local()) local->partition->CountConsumed(records, bytes);
}

absl::StatusOr<Offset> NodePartition::OffsetForTimestamp(int64_t timestamp_ms) {
  const auto local = Local();
  if (local == nullptr) return NoReplica(local);
  return local->partition->OffsetForTimestamp(timestamp_ms);
}

broker::Partition::WaitId NodePartition::WaitForData(Offset from, WaitCallback ready) {
  const auto local = Local();
  if (local != nullptr) return local->partition->WaitForData(from, std::move(ready));
  PostBehindAnswers([status = NoReplica(nullptr), ready = std::move(ready)]() mutable {
    ready(std::move(status));
  });
  return 0;
}

void NodePartition::CancelWait(WaitId wait) {
  if (const auto local = Local()) local->partition->CancelWait(wait);
}

void NodePartition::ReadBarrier(absl::AnyInvocable<void(absl::Status)> done) {
  const auto local = Local();
  if (local != nullptr) {
    return local->partition->ReadBarrier(
        [self = shared_from_this(), done = std::move(done)](const absl::Status& status) mutable {
          done(self->WithLeader(status));
        });
  }
  PostBehindAnswers(
      [status = NoReplica(nullptr), done = std::move(done)]() mutable { done(std::move(status)); });
}

}  // namespace cairn::cluster
