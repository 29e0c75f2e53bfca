#include "apps/stored_log.h"

#include <algorithm>

#include "base/status_macros.h"
#include "base/strings.h"
#include "env/files.h"
#include "log/segment.h"

namespace cairn::apps {
namespace {

// Topics, partitions: a data directory is no deeper.
constexpr int kMaxDepth = 3;

absl::Status Collect(env::FileSystem& fs, const std::string& path, int depth,
                     std::vector<StoredLog>& logs) {
  CAIRN_ASSIGN_OR_RETURN(const auto entries, fs.List(path));
  StoredLog found{.directory = path, .segments = {}, .whole = true};
  bool is_log = false;
  for (const env::DirectoryEntry& entry : entries) {
    const std::string child = env::JoinPath(path, entry.name);
    if (entry.is_directory) {
      if (depth < kMaxDepth && entry.name[0] != '~') {
        CAIRN_RETURN_IF_ERROR(Collect(fs, child, depth + 1, logs));
      }
    } else if (const auto base = log::ParseStoreFileName(entry.name)) {
      found.segments.push_back({.path = child, .base_offset = *base});
    } else if (entry.name == "log-start") {
      is_log = true;
    }
  }
  if (!is_log && found.segments.empty()) return absl::OkStatus();
  std::sort(found.segments.begin(), found.segments.end(),
            [](const auto& a, const auto& b) { return a.base_offset < b.base_offset; });
  logs.push_back(std::move(found));
  return absl::OkStatus();
}

// Whether a server holds the data directory. Does not create the lock file.
absl::Status CheckNotInUse(env::FileSystem& fs, const std::string& path) {
  const std::string lock_file = env::JoinPath(path, "LOCK");
  if (!fs.Stat(lock_file).ok()) return absl::OkStatus();
  const auto lock = fs.Lock(lock_file);
  if (!absl::IsFailedPrecondition(lock.status())) return absl::OkStatus();
  return absl::FailedPreconditionError(base::StrCat(
      base::StdView(lock.status().message()),
      "; stop the server first: the end of a log that is being written looks damaged"));
}

}  // namespace

absl::StatusOr<std::vector<StoredLog>> FindStoredLogs(env::FileSystem& fs,
                                                      const std::string& path) {
  CAIRN_ASSIGN_OR_RETURN(const env::FileInfo info, fs.Stat(path));
  std::vector<StoredLog> logs;
  if (!info.is_directory) {
    const size_t slash = path.rfind('/');
    const auto base =
        log::ParseStoreFileName(slash == std::string::npos ? path : path.substr(slash + 1));
    if (!base) {
      return absl::NotFoundError(
          base::StrCat(path, " is no store file: its name should be 20 digits and .store"));
    }
    logs.push_back({.directory = env::DirName(path),
                    .segments = {{.path = path, .base_offset = *base}},
                    .whole = false});
    return logs;
  }
  CAIRN_RETURN_IF_ERROR(CheckNotInUse(fs, path));
  CAIRN_RETURN_IF_ERROR(Collect(fs, path, 0, logs));
  if (logs.empty()) {
    return absl::NotFoundError(
        base::StrCat("no log below ", path,
                     ": expected a data directory, a partition's directory or a store file"));
  }
  return logs;
}

absl::StatusOr<OpenStore> OpenStoreFile(env::FileSystem& fs, const std::string& path) {
  OpenStore store;
  CAIRN_ASSIGN_OR_RETURN(store.file, fs.Open(path, env::OpenMode::kReadOnly));
  CAIRN_ASSIGN_OR_RETURN(store.size_bytes, store.file->Size());
  std::string block(log::kStoreHeaderBytes, '\0');
  CAIRN_ASSIGN_OR_RETURN(const size_t got, store.file->ReadAt(0, block));
  block.resize(got);
  CAIRN_ASSIGN_OR_RETURN(store.header, log::DecodeStoreHeader(block));
  return store;
}

absl::StatusOr<std::string> ReadBody(const env::File& file, const log::StoreScanner::Step& step) {
  std::string body(step.header.body_bytes, '\0');
  CAIRN_ASSIGN_OR_RETURN(const size_t got,
                         file.ReadAt(step.position + log::kEntryHeaderBytes, body));
  if (got != body.size()) return absl::DataLossError("the file ends within an entry");
  return body;
}

}  // namespace cairn::apps
