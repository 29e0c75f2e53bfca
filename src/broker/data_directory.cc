#include "broker/data_directory.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "env/files.h"

namespace cairn::broker {
namespace {

constexpr std::string_view kIdentityFile = "cairn.json";
constexpr std::string_view kProducerIdsFile = "producer-ids";
constexpr uint64_t kMaxSmallFileBytes = 64 << 10;
// Ids reserved by one durable write; what is left of a block at a crash is skipped.
constexpr int64_t kProducerIdBlock = 1000;

// Names that an otherwise empty directory may hold: of a file system's root, or of an Open that was
// cut off.
bool IsHarmless(const std::string& name) {
  return name == "lost+found" || name == "LOCK" || name == "topics" || name.ends_with(".new");
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
  CAIRN_RETURN_IF_ERROR(env::CreateDirs(fs, directory->topics_path()));

  const auto ids =
      env::ReadChecksummedFile(fs, env::JoinPath(path, kProducerIdsFile), kMaxSmallFileBytes);
  if (ids.ok()) {
    int64_t next = 0;
    std::from_chars(ids->data(), ids->data() + ids->size(), next);
    base::MutexLock lock(directory->mutex_);
    directory->next_producer_id_ = directory->reserved_producer_id_ = next;
  } else if (!absl::IsNotFound(ids.status())) {
    return ids.status();
  }
  return directory;
}

absl::Status DataDirectory::LoadIdentity(env::Random& random) {
  const std::string file = env::JoinPath(path_, kIdentityFile);
  const auto content = env::ReadChecksummedFile(fs_, file, kMaxSmallFileBytes);
  if (absl::IsNotFound(content.status())) {
    node_uuid_ = base::Uuid::FromRandom(random.Next(), random.Next());
    const nlohmann::ordered_json identity = {{"format", kDataFormatVersion},
                                             {"node_uuid", node_uuid_.ToString()}};
    return env::ReplaceChecksummedFile(fs_, file, identity.dump() + "\n");
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
  CAIRN_ASSIGN_OR_RETURN(node_uuid_, base::Uuid::Parse(identity["node_uuid"].get<std::string>()));
  return absl::OkStatus();
}

std::string DataDirectory::topics_path() const { return env::JoinPath(path_, "topics"); }

absl::StatusOr<int64_t> DataDirectory::AllocateProducerId() {
  base::MutexLock lock(mutex_);
  if (next_producer_id_ == reserved_producer_id_) {
    const int64_t reserved = reserved_producer_id_ + kProducerIdBlock;
    CAIRN_RETURN_IF_ERROR(env::ReplaceChecksummedFile(fs_, env::JoinPath(path_, kProducerIdsFile),
                                                      base::StrCat(reserved, "\n")));
    reserved_producer_id_ = reserved;
  }
  return next_producer_id_++;
}

}  // namespace cairn::broker
