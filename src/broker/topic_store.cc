#include "broker/topic_store.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "env/files.h"

namespace cairn::broker {
namespace {

constexpr std::string_view kDescriptionFile = "topic.json";
constexpr uint64_t kMaxDescriptionBytes = 64 << 10;
constexpr int kDescriptionFormat = 1;

std::string Encode(const TopicInfo& info) {
  const nlohmann::ordered_json json = {
      {"format", kDescriptionFormat},
      {"name", info.name},
      {"id", info.id.ToString()},
      {"partition_count", info.partition_count},
      {"replication_factor", info.replication_factor},
      {"created_ms", info.created_ms},
      {"retention_bytes", info.settings.retention_bytes},
      {"retention_ms", info.settings.retention_ms},
      {"segment_bytes", info.settings.segment_bytes},
      {"segment_ms", info.settings.segment_ms},
      {"max_record_bytes", info.settings.max_record_bytes},
      {"max_batch_bytes", info.settings.max_batch_bytes},
  };
  return json.dump(2) + "\n";
}

absl::StatusOr<TopicInfo> Decode(const std::string& path, const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  absl::Status status;
  const auto number = [&](const char* key) -> int64_t {
    if (json.is_object() && json.contains(key) && json[key].is_number_integer()) {
      return json[key].get<int64_t>();
    }
    status = absl::DataLossError(base::StrCat(path, " has no number \"", key, "\""));
    return 0;
  };
  const auto string = [&](const char* key) -> std::string {
    if (json.is_object() && json.contains(key) && json[key].is_string()) {
      return json[key].get<std::string>();
    }
    status = absl::DataLossError(base::StrCat(path, " has no text \"", key, "\""));
    return "";
  };
  if (const int64_t format = number("format"); status.ok() && format != kDescriptionFormat) {
    return absl::UnimplementedError(base::StrCat(
        path, " has format ", format, "; this program knows format ", kDescriptionFormat));
  }
  TopicInfo info;
  info.name = string("name");
  const std::string id = string("id");
  info.partition_count = static_cast<int32_t>(number("partition_count"));
  info.replication_factor = static_cast<int32_t>(number("replication_factor"));
  info.created_ms = number("created_ms");
  info.settings.retention_bytes = number("retention_bytes");
  info.settings.retention_ms = number("retention_ms");
  info.settings.segment_bytes = number("segment_bytes");
  info.settings.segment_ms = number("segment_ms");
  info.settings.max_record_bytes = number("max_record_bytes");
  info.settings.max_batch_bytes = number("max_batch_bytes");
  CAIRN_RETURN_IF_ERROR(status);
  CAIRN_ASSIGN_OR_RETURN(info.id, base::Uuid::Parse(id));
  CAIRN_RETURN_IF_ERROR(ValidateTopicSettings(info.settings));
  if (info.partition_count < 1 || info.partition_count > kMaxPartitionsPerTopic) {
    return absl::DataLossError(base::StrCat(path, " says ", info.partition_count, " partitions"));
  }
  return info;
}

}  // namespace

log::LogOptions TopicStore::LogOptionsFor(const TopicInfo& info, PartitionId partition,
                                          std::shared_ptr<log::TailCache> tail_cache) const {
  log::LogOptions options;
  options.directory =
      env::JoinPath(env::JoinPath(directory_, info.name), base::StrCat(partition.value()));
  options.topic_id = info.id;
  options.partition = partition;
  options.segment_bytes = static_cast<uint64_t>(info.settings.segment_bytes);
  options.segment_ms = info.settings.segment_ms;
  options.tail_cache = std::move(tail_cache);
  return options;
}

absl::StatusOr<std::vector<TopicStore::Found>> TopicStore::Load() {
  CAIRN_ASSIGN_OR_RETURN(const auto entries, fs_.List(directory_));
  std::vector<Found> topics;
  for (const auto& entry : entries) {
    const std::string path = env::JoinPath(directory_, entry.name);
    if (entry.name.starts_with("~")) {
      CAIRN_RETURN_IF_ERROR(env::RemoveTree(fs_, path));
      continue;
    }
    if (!entry.is_directory || !ValidateTopicName(entry.name).ok())
      continue;  // not ours; left alone
    const std::string file = env::JoinPath(path, kDescriptionFile);
    const auto text = env::ReadChecksummedFile(fs_, file, kMaxDescriptionBytes);
    auto info = text.ok() ? Decode(file, *text) : absl::StatusOr<TopicInfo>(text.status());
    if (info.ok() && info->name != entry.name) {
      info = absl::DataLossError(
          base::StrCat(file, " describes topic \"", info->name, "\"; was the directory renamed?"));
    }
    Found found;
    if (info.ok()) {
      found.info = *std::move(info);
    } else {
      found.status = info.status();
      found.info.name = entry.name;
      CAIRN_ASSIGN_OR_RETURN(const auto parts, fs_.List(path));
      for (const auto& part : parts) found.info.partition_count += part.is_directory ? 1 : 0;
    }
    topics.push_back(std::move(found));
  }
  return topics;
}

absl::Status TopicStore::CreateIn(const std::string& path, const TopicInfo& info) {
  CAIRN_RETURN_IF_ERROR(fs_.CreateDir(path));
  for (int32_t i = 0; i < info.partition_count; ++i) {
    log::LogOptions options = LogOptionsFor(info, PartitionId(i), nullptr);
    options.directory = env::JoinPath(path, base::StrCat(i));
    CAIRN_RETURN_IF_ERROR(fs_.CreateDir(options.directory));
    CAIRN_RETURN_IF_ERROR(log::Log::Create(fs_, clock_, options));
  }
  // Syncs the directory too, and with it the partitions' names.
  return env::ReplaceChecksummedFile(fs_, env::JoinPath(path, kDescriptionFile), Encode(info));
}

absl::Status TopicStore::Create(const TopicInfo& info) {
  const std::string staging =
      env::JoinPath(directory_, base::StrCat("~creating-", info.id.ToString()));
  absl::Status status = CreateIn(staging, info);
  if (status.ok()) status = fs_.Rename(staging, env::JoinPath(directory_, info.name));
  if (!status.ok()) {
    // What cannot be removed now is removed by the next Load.
    env::RemoveTree(fs_, staging).IgnoreError();
    return status;
  }
  return fs_.SyncDir(directory_);
}

absl::Status TopicStore::Save(const TopicInfo& info) {
  return env::ReplaceChecksummedFile(
      fs_, env::JoinPath(env::JoinPath(directory_, info.name), kDescriptionFile), Encode(info));
}

absl::StatusOr<std::string> TopicStore::Delete(const TopicInfo& info) {
  const std::string grave =
      env::JoinPath(directory_, base::StrCat("~deleted-", info.id.ToString()));
  CAIRN_RETURN_IF_ERROR(fs_.Rename(env::JoinPath(directory_, info.name), grave));
  CAIRN_RETURN_IF_ERROR(fs_.SyncDir(directory_));
  return grave;
}

}  // namespace cairn::broker
