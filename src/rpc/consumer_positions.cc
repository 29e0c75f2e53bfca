#include "rpc/consumer_positions.h"

#include <algorithm>

namespace cairn::rpc {

std::shared_ptr<ConsumerPositions::Position> ConsumerPositions::Follow(
    std::string topic, PartitionId partition, std::shared_ptr<broker::Partition> log, Offset next) {
  auto position = std::make_shared<Position>(std::move(topic), partition, std::move(log), next);
  base::MutexLock lock(mutex_);
  if (positions_.size() == positions_.capacity()) {
    std::erase_if(positions_, [](const auto& weak) { return weak.expired(); });
    // Half of it free: the next look at all of them is far away.
    positions_.reserve(2 * positions_.size() + 1);
  }
  positions_.push_back(position);
  return position;
}

std::vector<std::shared_ptr<ConsumerPositions::Position>> ConsumerPositions::Open() const {
  std::vector<std::shared_ptr<Position>> open;
  base::MutexLock lock(mutex_);
  for (const auto& weak : positions_) {
    if (auto position = weak.lock()) open.push_back(std::move(position));
  }
  return open;
}

ConsumerLags ConsumerPositions::Lags() const {
  ConsumerLags lags;
  for (const auto& position : Open()) {
    const uint64_t next = position->next_.load(std::memory_order_relaxed).value();
    const uint64_t end = position->log_->high_watermark().value();
    ConsumerLag& lag = lags[{position->topic_, position->partition_.value()}];
    ++lag.consumers;
    // One that waits for an offset to come is not behind.
    lag.lag_records = std::max(lag.lag_records, end > next ? end - next : 0);
  }
  return lags;
}

}  // namespace cairn::rpc
