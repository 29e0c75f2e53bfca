// The JSON of what commands and snapshots have in common. For the .cc files of this folder only.
#pragma once

#include <vector>

#include "broker/topic.h"
#include "cluster/json_fields.h"
#include "cluster/metadata.h"

namespace cairn::cluster {

// INT64_MAX bounds what only its validation bounds.
inline constexpr int64_t kAnyTimeMs = INT64_MAX;

Json ToJson(const std::vector<NodeId>& nodes);
Json ToJson(const ClusterSettings& settings);
Json ToJson(const broker::TopicSettings& settings);
// Only the fields that are set.
Json ToJson(const broker::TopicSettingsChange& change);

// These do not call Finish for the reader they are given, except those that end an object of their
// own: ReadClusterSettings, ReadTopicSettings, ReadTopicSettingsChange.
ClusterSettings ReadClusterSettings(FieldReader reader);
broker::TopicSettings ReadTopicSettings(FieldReader reader);
broker::TopicSettingsChange ReadTopicSettingsChange(FieldReader reader);

void WriteDescription(const NodeDescription& description, Json& json);
NodeDescription ReadDescription(FieldReader& reader);

NodeState ReadNodeState(FieldReader& reader, const char* key);

}  // namespace cairn::cluster
