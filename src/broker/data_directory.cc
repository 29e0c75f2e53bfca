#include "broker/data_directory.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "env/files.h"

namespace cairn::broker {
namespace {

constexpr std::string_view kIdentityFile = "cairn.json";
constexpr uint64_t kMaxSmallFileBytes = 64 << 10;

// Names that an otherwise empty directory may hold: of a file system's root, or of an Open that was
// cut off.
bool IsHarmless(const std::string& name) {
  return name == "lost+found" || name == "LOCK" || name == "topics" || name == "raft" ||
         name.ends_with(".new");
}

}  // namespace

absl::StatusOr<std::unique_ptr<DataDirectory>> DataDirectory::Open(env::FileSystem& fs,
                                                                   env::Random& random,
                                                                   const std::string& path) {
  CAIRN_RETURN_IF_ERROR(env::CreateDirs(fs, path));
  std::unique_ptr<DataDirectory> directory(new DataDirectory(fs, path));
  const auto identity = fs.Stat(env::JoinPath(path, kIdentityFile));
  if (absl::IsNotFound(identity.status())) {
    CAIRN_ASSIGN_OR_RETURN(const auto entries, fs.List(path));
    for (const auto& entry : entries) {
      if (IsHarmless(entry.name)) continue;
      return absl::FailedPreconditionError(base::StrCat(
          path, " is not empty and not a data directory of cairn (it holds \"", entry.name,
          "\" but no ", kIdentityFile, "); give an empty or new directory"));
    }
  }
  auto file_lock = fs.Lock(env::JoinPath(path, "LOCK"));
  if (absl::IsFailedPrecondition(file_lock.status())) {
    return absl::FailedPreconditionError(base::StrCat(
        "the data directory ", path, " is in use (", base::StdView(file_lock.status().message()),
        "); stop that process or give another --data-dir"));
  }
  CAIRN_ASSIGN_OR_RETURN(directory->lock_, std::move(file_lock));
  CAIRN_RETURN_IF_ERROR(directory->LoadIdentity(random));
  CAIRN_RETURN_IF_ERROR(env::CreateDirs(fs, directory->stable_path()));
  return directory;
}

absl::Status DataDirectory::LoadIdentity(env::Random& random) {
  const std::string file = env::JoinPath(path_, kIdentityFile);
  const auto content = env::ReadChecksummedFile(fs_, file, kMaxSmallFileBytes);
  if (absl::IsNotFound(content.status())) {
    identity_.node_uuid = base::Uuid::FromRandom(random.Next(), random.Next());
    return SaveIdentity();
  }
  if (!content.ok()) return content.status();
  const auto identity = nlohmann::json::parse(*content, nullptr, /*allow_exceptions=*/false);
  if (!identity.is_object() || !identity.contains("format") ||
      !identity["format"].is_number_integer()) {
    return absl::DataLossError(base::StrCat(file, " has no format version"));
  }
  if (const int format = identity["format"].get<int>(); format != kDataFormatVersion) {
    return absl::UnimplementedError(base::StrCat(
        path_, " has data format ", format, "; this program knows format ", kDataFormatVersion,
        ". Use the version of cairn that wrote it, or a newer one"));
  }
  if (!identity.contains("node_uuid") || !identity["node_uuid"].is_string()) {
    return absl::DataLossError(base::StrCat(file, " has no node_uuid"));
  }
  CAIRN_ASSIGN_OR_RETURN(identity_.node_uuid,
                         base::Uuid::Parse(identity["node_uuid"].get<std::string>()));
  if (!identity.contains("node_id")) return absl::OkStatus();
  if (!identity["node_id"].is_number_integer() || !identity.contains("cluster_id") ||
      !identity["cluster_id"].is_string()) {
    return absl::DataLossError(base::StrCat(file, " has a node_id without a cluster_id"));
  }
  CAIRN_ASSIGN_OR_RETURN(identity_.cluster_id,
                         base::Uuid::Parse(identity["cluster_id"].get<std::string>()));
  identity_.node = NodeId(identity["node_id"].get<int32_t>());
  return absl::OkStatus();
}

absl::Status DataDirectory::SaveIdentity() const {
  nlohmann::ordered_json identity = {{"format", kDataFormatVersion},
                                     {"node_uuid", identity_.node_uuid.ToString()}};
  if (identity_.has_joined()) {
    identity["cluster_id"] = identity_.cluster_id.ToString();
    identity["node_id"] = identity_.node.value();
  }
  return env::ReplaceChecksummedFile(fs_, env::JoinPath(path_, kIdentityFile),
                                     identity.dump() + "\n");
}

absl::Status DataDirectory::Join(const base::Uuid& cluster_id, NodeId node) {
  if (identity_.has_joined()) {
    if (identity_.cluster_id == cluster_id && identity_.node == node) return absl::OkStatus();
    return absl::FailedPreconditionError(base::StrCat(
        path_, " belongs to node ", identity_.node.value(), " of cluster ",
        identity_.cluster_id.ToString(), ", not to node ", node.value(), " of cluster ",
        cluster_id.ToString(), "; start with an empty --data-dir, or join the cluster it is of"));
  }
  const Identity before = identity_;
  identity_.cluster_id = cluster_id;
  identity_.node = node;
  const absl::Status saved = SaveIdentity();
  if (!saved.ok()) identity_ = before;
  return saved;
}

std::string DataDirectory::stable_path() const { return env::JoinPath(path_, "raft"); }

}  // namespace cairn::broker
