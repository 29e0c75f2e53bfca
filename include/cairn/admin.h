// Administration: topics.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cairn/client.h"
#include "cairn/export.h"

namespace cairn {

// What is not set keeps the broker's default (CreateTopic) or the present value (AlterTopic).
struct TopicSettings {
  std::optional<int64_t> retention_bytes = {};  // per partition; -1 keeps all
  std::optional<int64_t> retention_ms = {};     // by record timestamp; -1 keeps all
  std::optional<int64_t> segment_bytes = {};    // size at which a new segment file is begun
  std::optional<int64_t> segment_ms = {};       // age at which a new segment file is begun
  std::optional<int64_t> max_record_bytes = {};
  std::optional<int64_t> max_batch_bytes = {};
};

struct PartitionInfo {
  int32_t partition = 0;
  uint64_t log_start = 0;       // first offset that can be read
  uint64_t high_watermark = 0;  // first offset that is not there yet
  std::string error = {};       // why it does not serve; empty when it does
};

struct TopicInfo {
  std::string name = {};
  std::string id = {};  // UUID; a topic created again under the same name has another
  int32_t partition_count = 0;
  int32_t replication_factor = 0;
  TopicSettings settings = {};                 // all set
  int64_t created_ms = 0;                      // since the Unix epoch
  std::vector<PartitionInfo> partitions = {};  // DescribeTopic only
};

struct NewTopic {
  std::string name = {};
  int32_t partition_count = 0;     // 0 means the broker's default
  int32_t replication_factor = 0;  // 0 means the broker's default
  TopicSettings settings = {};
};

// Each call blocks up to the client's timeout_ms. Thread-safe.
// Errors of all: UNAVAILABLE when no broker answers, DEADLINE_EXCEEDED; docs/errors.md has the
// rest.
class CAIRN_EXPORT Admin {
 public:
  explicit Admin(std::shared_ptr<Client> client);

  // On disk when it returns. Errors: ALREADY_EXISTS (TOPIC_EXISTS), INVALID_ARGUMENT.
  absl::StatusOr<TopicInfo> CreateTopic(const NewTopic& topic);
  // Sorted by name.
  absl::StatusOr<std::vector<TopicInfo>> ListTopics();
  // Errors: NOT_FOUND (UNKNOWN_TOPIC); also of the calls below.
  absl::StatusOr<TopicInfo> DescribeTopic(const std::string& name);
  absl::StatusOr<TopicInfo> AlterTopic(const std::string& name, const TopicSettings& change);
  absl::Status DeleteTopic(const std::string& name);

 private:
  std::shared_ptr<Client> client_;  // shared with the producers and consumers of the program
};

}  // namespace cairn
