// Between cairn.v1's topic messages and the broker's types.
#pragma once

#include "broker/topic.h"
#include "cairn/v1/admin.pb.h"

namespace cairn::rpc {

broker::TopicSettingsChange ReadTopicSettings(const v1::TopicSettings& settings);

// Everything but the partitions.
void WriteTopic(const broker::TopicInfo& topic, v1::Topic& to);

}  // namespace cairn::rpc
