// Which Raft group is which partition: GroupId = topic number << 16 | partition.
#pragma once

#include "base/types.h"
#include "broker/topic.h"

namespace cairn::cluster {

// A topic, from 1, never reused: two topics that had one name after the other never share a group.
using TopicNumber = base::StrongInt<struct TopicNumberTag, uint64_t>;

// The group that orders the cluster's metadata. No topic has number 0.
inline constexpr GroupId kControllerGroup{0};

inline constexpr int kPartitionBits = 16;
static_assert(broker::kMaxPartitionsPerTopic <= 1 << kPartitionBits);
inline constexpr uint64_t kMaxTopicNumber = UINT64_MAX >> (kPartitionBits + 1);  // fits int64

inline constexpr GroupId GroupOf(TopicNumber topic, PartitionId partition) {
  return GroupId(topic.value() << kPartitionBits | static_cast<uint64_t>(partition.value()));
}
inline constexpr TopicNumber TopicOf(GroupId group) {
  return TopicNumber(group.value() >> kPartitionBits);
}
inline constexpr PartitionId PartitionOf(GroupId group) {
  return PartitionId(static_cast<int32_t>(group.value() & ((1 << kPartitionBits) - 1)));
}

}  // namespace cairn::cluster
