// TopicStore: the topics of a node on disk.
//
//   topics/NAME/topic.json    what the topic is, with a checksum
//   topics/NAME/0, 1, …       the log of each partition
//   topics/~creating-UUID     a topic being made; renamed to its name when whole
//   topics/~deleted-UUID      a deleted topic that is being removed
//
// A topic exists when the directory of its name does: creation and deletion are one rename each.
// The tilde is no legal character of a topic name.
//
// All functions block. One thread at a time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/types.h"
#include "broker/topic.h"
#include "env/clock.h"
#include "env/file_system.h"
#include "log/log.h"

namespace cairn::broker {

class TopicStore {
 public:
  TopicStore(env::FileSystem& fs, env::Clock& clock, std::string directory)
      : fs_(fs), clock_(clock), directory_(std::move(directory)) {}

  // A topic found on disk. When `status` is not OK, its description is damaged: only name and
  // partition_count (counted from the directories) are known.
  struct Found {
    TopicInfo info;
    absl::Status status;
  };
  // Removes what interrupted creations and deletions left, and lists the topics.
  absl::StatusOr<std::vector<Found>> Load();

  // Makes the topic with empty logs. Durable on return.
  absl::Status Create(const TopicInfo& info);
  // Replaces the description. Durable and atomic.
  absl::Status Save(const TopicInfo& info);
  // The topic is gone on return, durably; returns the path that RemoveTree may clear away.
  absl::StatusOr<std::string> Delete(const TopicInfo& info);

  log::LogOptions LogOptionsFor(const TopicInfo& info, PartitionId partition,
                                std::shared_ptr<log::TailCache> tail_cache) const;

 private:
  absl::Status CreateIn(const std::string& path, const TopicInfo& info);

  env::FileSystem& fs_;
  env::Clock& clock_;
  const std::string directory_;
};

}  // namespace cairn::broker
