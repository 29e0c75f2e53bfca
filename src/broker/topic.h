// What a topic is: name, identity, partitions, settings.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "base/uuid.h"

namespace cairn::broker {

// The topic a request without a name means; created when a data directory is first opened.
inline constexpr std::string_view kDefaultTopic = "default";
inline constexpr size_t kMaxTopicNameBytes =
    249;  // as in Kafka: a file name with room for a suffix
inline constexpr int32_t kMaxPartitionsPerTopic = 10'000;
inline constexpr uint64_t kMinTopicSegmentBytes = 64 << 10;

struct TopicSettings {
  int64_t retention_bytes = -1;                 // per partition; -1 keeps all
  int64_t retention_ms = -1;                    // by record timestamp; -1 keeps all
  int64_t segment_bytes = 256 << 20;            // roll when the store file would grow beyond this
  int64_t segment_ms = 7LL * 24 * 3600 * 1000;  // roll when the segment is older than this
  int64_t max_record_bytes = 1 << 20;
  int64_t max_batch_bytes = 8 << 20;

  friend bool operator==(const TopicSettings&, const TopicSettings&) = default;
};

struct TopicInfo {
  std::string name;
  base::Uuid id;
  int32_t partition_count = 0;
  int32_t replication_factor = 1;
  TopicSettings settings;
  int64_t created_ms = 0;
};

// Fields that are set replace the setting.
struct TopicSettingsChange {
  std::optional<int64_t> retention_bytes;
  std::optional<int64_t> retention_ms;
  std::optional<int64_t> segment_bytes;
  std::optional<int64_t> segment_ms;
  std::optional<int64_t> max_record_bytes;
  std::optional<int64_t> max_batch_bytes;

  friend bool operator==(const TopicSettingsChange&, const TopicSettingsChange&) = default;
};

// Legal names are 1 to 249 of the letters, digits, '.', '_' and '-' of ASCII, other than "." and
// "..". Errors: INVALID_ARGUMENT with reason INVALID_TOPIC_NAME, showing the name (escaped) and the
// rule.
absl::Status ValidateTopicName(std::string_view name);

// Errors: INVALID_ARGUMENT naming setting, value and range.
absl::Status ValidateTopicSettings(const TopicSettings& settings);

// `settings` with the set fields of `change`.
TopicSettings Apply(TopicSettings settings, const TopicSettingsChange& change);

}  // namespace cairn::broker
