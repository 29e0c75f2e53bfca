#include "broker/replica_store.h"

#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "env/files.h"
#include "log/entry.h"

namespace cairn::broker {
namespace {

constexpr std::string_view kCreating = "~creating-";
constexpr std::string_view kDeleted = "~deleted-";
constexpr int kPartitionBits = 16;

// The first entry of every group; the same bytes on every replica that writes it.
constexpr Term kFirstTerm{1};
constexpr Index kFirstIndex{1};

template <typename T>
std::optional<T> ParseNumber(std::string_view digits) {
  T value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || digits.empty() || end != digits.data() + digits.size()) {
    return std::nullopt;
  }
  return value;
}

std::string TopicDirectory(std::string_view name, GroupId group) {
  return base::StrCat(name, "~", group.value() >> kPartitionBits);
}
std::string PartitionDirectory(GroupId group) {
  return base::StrCat(group.value() & ((1 << kPartitionBits) - 1));
}

// Where a replica that is being removed lies, in its topic's directory.
std::string GraveIn(const std::string& topic, GroupId group) {
  return env::JoinPath(topic, base::StrCat(kDeleted, PartitionDirectory(group)));
}

absl::StatusOr<std::vector<env::DirectoryEntry>> ListTopics(env::FileSystem& fs,
                                                            const std::string& directory) {
  auto topics = fs.List(directory);
  if (absl::IsNotFound(topics.status())) return std::vector<env::DirectoryEntry>();
  return topics;
}

// The number behind the tilde of a topic's directory.
std::optional<uint64_t> TopicNumberOf(std::string_view directory) {
  const size_t tilde = directory.rfind('~');
  if (tilde == std::string_view::npos || tilde == 0) return std::nullopt;
  return ParseNumber<uint64_t>(directory.substr(tilde + 1));
}

std::optional<GroupId> GroupOf(uint64_t topic, std::string_view partition) {
  const auto number = ParseNumber<uint32_t>(partition);
  if (!number || *number >= 1u << kPartitionBits) return std::nullopt;
  return GroupId(topic << kPartitionBits | *number);
}

// The grave is the note that what the replica promised has to go, and then its files.
absl::Status Bury(env::FileSystem& fs, consensus::StableStore& stable, const std::string& topic,
                  GroupId group) {
  const std::string home = env::JoinPath(topic, PartitionDirectory(group));
  const std::string grave = GraveIn(topic, group);
  const absl::Status at_home = fs.Stat(home).status();
  if (!at_home.ok() && !absl::IsNotFound(at_home)) return at_home;
  if (at_home.ok()) {
    CAIRN_RETURN_IF_ERROR(env::RemoveTree(fs, grave));  // of a replica before
  } else if (const auto promised = stable.Load(group);
             !promised.ok() || promised->term.value() != 0 || !promised->configurations.empty()) {
    // The sync failed. No later one makes durable a renaming that it has dropped: it is done anew.
    const absl::Status back = fs.Rename(grave, home);
    if (!back.ok() && !absl::IsNotFound(back)) return back;
  }
  const absl::Status renamed = fs.Rename(home, grave);
  if (!renamed.ok() && !absl::IsNotFound(renamed)) return renamed;
  CAIRN_RETURN_IF_ERROR(fs.SyncDir(topic));
  CAIRN_RETURN_IF_ERROR(stable.Remove(group));
  return env::RemoveTree(fs, grave);
}

}  // namespace

std::string ReplicaStore::PathOf(const ReplicaSpec& spec) const {
  return env::JoinPath(env::JoinPath(directory_, TopicDirectory(spec.topic.name, spec.group)),
                       PartitionDirectory(spec.group));
}

log::LogOptions ReplicaStore::LogOptionsFor(const ReplicaSpec& spec, std::string directory,
                                            std::shared_ptr<log::TailCache> tail_cache) const {
  log::LogOptions options;
  options.directory = std::move(directory);
  options.topic_id = spec.topic.id;
  options.partition = spec.partition;
  options.segment_bytes = static_cast<uint64_t>(spec.topic.settings.segment_bytes);
  options.segment_ms = spec.topic.settings.segment_ms;
  options.tail_cache = std::move(tail_cache);
  return options;
}

absl::StatusOr<std::vector<GroupId>> ReplicaStore::Load() {
  CAIRN_ASSIGN_OR_RETURN(const auto topics, ListTopics(fs_, directory_));
  // The process that made what is here may have ended before it was synced: a power cut would take
  // it away, with what is promised and acknowledged from now on.
  if (!topics.empty()) CAIRN_RETURN_IF_ERROR(fs_.SyncDir(directory_));
  std::vector<GroupId> groups;
  for (const auto& topic : topics) {
    const auto number = TopicNumberOf(topic.name);
    if (!topic.is_directory || !number) continue;
    const std::string path = env::JoinPath(directory_, topic.name);
    CAIRN_ASSIGN_OR_RETURN(const auto partitions, fs_.List(path));
    std::set<GroupId> here;
    std::set<GroupId> buried;
    for (const auto& partition : partitions) {
      const std::string_view name = partition.name;
      if (name.starts_with(kDeleted)) {
        const auto group = GroupOf(*number, name.substr(kDeleted.size()));
        if (group) buried.insert(*group);
      } else if (name.starts_with(kCreating)) {
        CAIRN_RETURN_IF_ERROR(env::RemoveTree(fs_, env::JoinPath(path, partition.name)));
      } else if (const auto group = GroupOf(*number, name); group && partition.is_directory) {
        here.insert(*group);
      }
    }
    for (const GroupId group : buried) {
      // A replica that was made since has promised since: only the old one's files are left.
      CAIRN_RETURN_IF_ERROR(here.contains(group) ? env::RemoveTree(fs_, GraveIn(path, group))
                                                 : Bury(fs_, stable_, path, group));
    }
    groups.insert(groups.end(), here.begin(), here.end());
    CAIRN_RETURN_IF_ERROR(fs_.SyncDir(path));
  }
  return groups;
}

absl::StatusOr<ReplicaStore::Opened> ReplicaStore::Open(const ReplicaSpec& spec,
                                                        std::shared_ptr<log::TailCache> tail_cache,
                                                        log::RecoveryReport& report) {
  const std::string path = PathOf(spec);
  if (unmade_.contains(spec.group)) {
    // No later sync makes durable what a failed one has dropped: it is made anew.
    CAIRN_RETURN_IF_ERROR(Undo(spec));
    unmade_.erase(spec.group);
  }
  if (const auto found = fs_.Stat(path); absl::IsNotFound(found.status())) {
    CAIRN_RETURN_IF_ERROR(Create(spec));
  } else if (!found.ok()) {
    return found.status();
  }
  Opened opened;
  CAIRN_ASSIGN_OR_RETURN(
      opened.log,
      log::Log::Open(fs_, clock_, LogOptionsFor(spec, path, std::move(tail_cache)), report));
  opened.state = consensus::LoadCoreState(*opened.log, stable_, spec.group);
  const bool repairable = absl::IsDataLoss(opened.state.status()) && opened.log->damaged();
  if (!opened.state.ok() && !repairable) return opened.state.status();
  return opened;
}

absl::Status ReplicaStore::Create(const ReplicaSpec& spec) {
  CAIRN_ASSIGN_OR_RETURN(const auto known, stable_.Load(spec.group));
  if (known.term > kFirstTerm || known.vote.value() != 0) {
    return absl::DataLossError(base::StrCat(
        PathOf(spec), " is gone, but this node took part in its group up to term ",
        known.term.value(), "; restore the directory, or drain this node and start it empty"));
  }
  // Not before: what is gone, and comes back because somebody restores it, is not ours to undo.
  unmade_.insert(spec.group);
  // Before the log has the entry: a log whose configuration the store does not know is damaged.
  if (!spec.founders.empty()) {
    consensus::StableStore::Changes changes(spec.group);
    changes.SetVote(kFirstTerm, NodeId());
    changes.SetConfiguration(kFirstIndex, kFirstTerm, spec.founders);
    CAIRN_RETURN_IF_ERROR(stable_.WriteNow(std::move(changes)));
  }
  const std::string topic = env::JoinPath(directory_, TopicDirectory(spec.topic.name, spec.group));
  CAIRN_RETURN_IF_ERROR(env::CreateDirs(fs_, topic));
  const std::string staging =
      env::JoinPath(topic, base::StrCat(kCreating, PartitionDirectory(spec.group)));
  CAIRN_RETURN_IF_ERROR(env::RemoveTree(fs_, staging));
  CAIRN_RETURN_IF_ERROR(CreateIn(spec, staging));
  CAIRN_RETURN_IF_ERROR(fs_.Rename(staging, PathOf(spec)));
  CAIRN_RETURN_IF_ERROR(fs_.SyncDir(topic));
  unmade_.erase(spec.group);
  return absl::OkStatus();
}

absl::Status ReplicaStore::Undo(const ReplicaSpec& spec) {
  const std::string path = PathOf(spec);
  const std::string topic(env::DirName(path));
  const std::string staging =
      env::JoinPath(topic, base::StrCat(kCreating, PartitionDirectory(spec.group)));
  CAIRN_RETURN_IF_ERROR(env::RemoveTree(fs_, staging));
  const absl::Status renamed = fs_.Rename(path, staging);
  if (!renamed.ok() && !absl::IsNotFound(renamed)) return renamed;
  CAIRN_RETURN_IF_ERROR(env::RemoveTree(fs_, staging));
  const auto others = fs_.List(topic);
  if (absl::IsNotFound(others.status())) return absl::OkStatus();
  CAIRN_RETURN_IF_ERROR(others.status());
  // Whoever else is in it had it synced.
  return others->empty() ? fs_.RemoveDir(topic) : absl::OkStatus();
}

absl::Status ReplicaStore::CreateIn(const ReplicaSpec& spec, const std::string& path) {
  CAIRN_RETURN_IF_ERROR(fs_.CreateDir(path));
  const log::LogOptions options = LogOptionsFor(spec, path, nullptr);
  CAIRN_RETURN_IF_ERROR(log::Log::Create(fs_, clock_, options));
  if (spec.founders.empty()) return absl::OkStatus();
  log::RecoveryReport report;
  CAIRN_ASSIGN_OR_RETURN(const auto log, log::Log::Open(fs_, clock_, options, report));
  const std::array<log::Entry, 1> first = {
      log::MakeControlEntry(log::EntryKind::kConfiguration, spec.founders.Encode(), kFirstIndex,
                            kFirstTerm, Offset(0), spec.topic.created_ms)};
  CAIRN_RETURN_IF_ERROR(log->Write(first));
  CAIRN_RETURN_IF_ERROR(log->Sync());
  return log->Close();
}

absl::StatusOr<std::string> ReplicaStore::FindDirectory(GroupId group) const {
  CAIRN_ASSIGN_OR_RETURN(const auto topics, ListTopics(fs_, directory_));
  for (const auto& topic : topics) {
    if (topic.is_directory && TopicNumberOf(topic.name) == group.value() >> kPartitionBits) {
      return env::JoinPath(directory_, topic.name);
    }
  }
  return absl::NotFoundError(base::StrCat("no directory of group ", group.value()));
}

bool ReplicaStore::Holds(GroupId group) const {
  const auto topic = FindDirectory(group);
  return topic.ok() && fs_.Stat(env::JoinPath(*topic, PartitionDirectory(group))).ok();
}

absl::Status ReplicaStore::Remove(GroupId group) {
  const auto topic = FindDirectory(group);
  if (absl::IsNotFound(topic.status())) return stable_.Remove(group);
  if (!topic.ok()) return topic.status();
  CAIRN_RETURN_IF_ERROR(Bury(fs_, stable_, *topic, group));
  // The last one takes the topic's directory along.
  CAIRN_ASSIGN_OR_RETURN(const auto rest, fs_.List(*topic));
  if (!rest.empty()) return absl::OkStatus();
  CAIRN_RETURN_IF_ERROR(fs_.RemoveDir(*topic));
  return fs_.SyncDir(directory_);
}

}  // namespace cairn::broker
