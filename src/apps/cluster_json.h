// What the cluster tells about itself, as JSON: the same in every command that prints it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string_view>
#include <vector>

#include "cairn/admin.h"

namespace cairn::apps {

std::string_view ToText(NodeState state);

// How many partitions a node leads, and of how many it is to hold a copy.
struct NodeLoad {
  size_t leads = 0;
  size_t holds = 0;
};
NodeLoad LoadOf(const ClusterInfo& cluster, int32_t node);

nlohmann::ordered_json ToJson(const ClusterInfo& cluster);
nlohmann::ordered_json ToJson(const TopicInfo& topic);
// {"topics": [...]}, {"waits": [...]}, {"members": [...]}.
nlohmann::ordered_json ToJson(const std::vector<TopicInfo>& topics);
nlohmann::ordered_json ToJson(const std::vector<WaitInfo>& waits);
nlohmann::ordered_json ToJson(const std::vector<MemberInfo>& members);

}  // namespace cairn::apps
