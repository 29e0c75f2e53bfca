#include "env/files.h"

#include <array>
#include <memory>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "base/crc32c.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace cairn::env {
namespace {

constexpr std::string_view kChecksumTag = "crc32c ";
constexpr size_t kChecksumLineBytes = kChecksumTag.size() + 8 + 1;  // tag, digits, newline

std::string ChecksumLine(uint32_t crc) {
  return absl::StrFormat("%s%08x\n", base::AbslView(kChecksumTag), crc);
}

absl::Status WriteNewFile(FileSystem& fs, const std::string& path, std::string_view content,
                          OpenMode mode) {
  absl::StatusOr<std::unique_ptr<File>> file = fs.Open(path, mode);
  if (absl::IsAlreadyExists(file.status())) {  // an earlier attempt ended before its rename
    CAIRN_RETURN_IF_ERROR(fs.RemoveFile(path));
    file = fs.Open(path, mode);
  }
  CAIRN_RETURN_IF_ERROR(file.status());
  const std::array<std::string_view, 1> buffers = {content};
  CAIRN_RETURN_IF_ERROR((*file)->WriteAt(0, buffers));
  return (*file)->Sync();
}

// Syncs the entry of a directory that was there before. The process that made it may have been
// killed before it could; where we may not (a parent that is not ours), it was not one of ours that
// made it.
absl::Status SyncExistingEntry(FileSystem& fs, const std::string& path) {
  absl::Status synced = fs.SyncDir(DirName(path));
  if (absl::IsPermissionDenied(synced) || absl::IsFailedPrecondition(synced)) {
    return absl::OkStatus();
  }
  return synced;
}

}  // namespace

std::string JoinPath(std::string_view directory, std::string_view name) {
  if (directory.empty() || directory.ends_with('/')) return base::StrCat(directory, name);
  return base::StrCat(directory, "/", name);
}

std::string DirName(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  if (slash == 0) return "/";
  return std::string(path.substr(0, slash));
}

absl::StatusOr<std::string> ReadFile(FileSystem& fs, const std::string& path,
                                     uint64_t limit_bytes) {
  CAIRN_ASSIGN_OR_RETURN(std::unique_ptr<File> file, fs.Open(path, OpenMode::kReadOnly));
  CAIRN_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  if (size > limit_bytes) {
    return absl::ResourceExhaustedError(
        base::StrCat("read ", path, ": ", size, " bytes are more than the limit of ", limit_bytes));
  }
  std::string content(size, '\0');
  CAIRN_ASSIGN_OR_RETURN(const size_t got, file->ReadAt(0, content));
  content.resize(got);
  return content;
}

namespace {

absl::Status Replace(FileSystem& fs, const std::string& path, std::string_view content,
                     OpenMode mode) {
  const std::string fresh = path + ".new";
  absl::Status status = WriteNewFile(fs, fresh, content, mode);
  if (status.ok()) status = fs.Rename(fresh, path);
  if (!status.ok()) {
    // Frees the space. That this may fail too is no news: the first error is the one to tell.
    fs.RemoveFile(fresh).IgnoreError();
    return status;
  }
  return fs.SyncDir(DirName(path));
}

}  // namespace

absl::Status ReplaceFile(FileSystem& fs, const std::string& path, std::string_view content) {
  return Replace(fs, path, content, OpenMode::kCreate);
}

absl::Status ReplacePrivateFile(FileSystem& fs, const std::string& path, std::string_view content) {
  return Replace(fs, path, content, OpenMode::kCreatePrivate);
}

absl::Status ReplaceChecksummedFile(FileSystem& fs, const std::string& path,
                                    std::string_view content) {
  const std::string copy = base::StrCat(content, ChecksumLine(base::Crc32c(content)));
  return ReplaceFile(fs, path, copy + copy);
}

namespace {

// What stands before the checksum of one copy, when it fits.
absl::StatusOr<std::string_view> CheckCopy(std::string_view copy) {
  const size_t size = copy.size() < kChecksumLineBytes ? 0 : copy.size() - kChecksumLineBytes;
  const std::string_view content = copy.substr(0, size);
  const std::string_view found = copy.substr(size);
  const std::string expected = ChecksumLine(base::Crc32c(content));
  if (found == expected) return content;
  if (found.size() != kChecksumLineBytes || !found.starts_with(kChecksumTag) ||
      !found.ends_with('\n')) {
    return absl::DataLossError(
        base::StrCat("expected a last line \"", kChecksumTag, "<8 hex digits>\", found none"));
  }
  const auto digits = [](std::string_view line) { return line.substr(kChecksumTag.size(), 8); };
  return absl::DataLossError(base::StrCat("expected crc32c ", digits(expected), ", found ",
                                          absl::CHexEscape(base::AbslView(digits(found)))));
}

}  // namespace

absl::StatusOr<std::string> ReadChecksummedFile(FileSystem& fs, const std::string& path,
                                                uint64_t limit_bytes) {
  CAIRN_ASSIGN_OR_RETURN(const std::string both,
                         ReadFile(fs, path, 2 * (limit_bytes + kChecksumLineBytes)));
  const std::string_view first = std::string_view(both).substr(0, both.size() / 2);
  const std::string_view second = std::string_view(both).substr(both.size() / 2);
  const auto content = CheckCopy(first);
  const auto again = CheckCopy(second);
  if (content.ok() && first == second) return std::string(*content);
  if (content.ok() == again.ok()) {
    return absl::DataLossError(base::StrCat(path, " is damaged: ",
                                            content.ok()
                                                ? std::string_view("its copies differ")
                                                : base::StdView(content.status().message()),
                                            content.ok() ? "" : ", in either copy"));
  }
  std::string good(content.ok() ? *content : *again);
  // When that fails the next reading tries again.
  ReplaceChecksummedFile(fs, path, good).IgnoreError();
  return good;
}

absl::Status CreateDirs(FileSystem& fs, const std::string& path) {
  const absl::StatusOr<FileInfo> info = fs.Stat(path);
  if (info.ok()) {
    if (info->is_directory) return SyncExistingEntry(fs, path);
    return absl::FailedPreconditionError(base::StrCat(path, " is not a directory"));
  }
  if (!absl::IsNotFound(info.status())) return info.status();
  const std::string parent = DirName(path);
  if (parent != path) CAIRN_RETURN_IF_ERROR(CreateDirs(fs, parent));
  absl::Status created = fs.CreateDir(path);
  // Somebody else was quicker; the entry is synced all the same.
  if (!created.ok() && !absl::IsAlreadyExists(created)) return created;
  absl::Status synced = fs.SyncDir(parent);
  // No later sync makes durable what a failed one has dropped: who tries again makes it anew.
  if (!synced.ok() && created.ok()) fs.RemoveDir(path).IgnoreError();
  return synced;
}

absl::Status RemoveTree(FileSystem& fs, const std::string& path) {
  const absl::StatusOr<FileInfo> info = fs.Stat(path);
  if (absl::IsNotFound(info.status())) return absl::OkStatus();
  CAIRN_RETURN_IF_ERROR(info.status());
  if (!info->is_directory) return fs.RemoveFile(path);
  CAIRN_ASSIGN_OR_RETURN(const std::vector<DirectoryEntry> entries, fs.List(path));
  for (const DirectoryEntry& entry : entries) {
    const std::string child = JoinPath(path, entry.name);
    CAIRN_RETURN_IF_ERROR(entry.is_directory ? RemoveTree(fs, child) : fs.RemoveFile(child));
  }
  return fs.RemoveDir(path);
}

}  // namespace cairn::env
