#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <string>
#include <vector>

#include "env/file_system.h"
#include "env/posix.h"
#include "env/posix_error.h"
#include "env/posix_file.h"
#include "env/posix_lock.h"
#include "env/sync_pool.h"

namespace cairn::env {
namespace {

// Records are their owner's business: no access for others, less what the umask takes away.
constexpr mode_t kFileMode = 0640;
constexpr mode_t kPrivateFileMode = 0600;
constexpr mode_t kDirectoryMode = 0750;

int OpenFlags(OpenMode mode) {
  switch (mode) {
    case OpenMode::kReadOnly:
      return O_RDONLY;
    case OpenMode::kReadWrite:
      return O_RDWR;
    case OpenMode::kCreate:
    case OpenMode::kCreatePrivate:
      return O_RDWR | O_CREAT | O_EXCL;
  }
  return O_RDONLY;
}

bool IsDirectory(int directory, const dirent& entry) {
  if (entry.d_type != DT_UNKNOWN) return entry.d_type == DT_DIR;
  struct stat info;  // some file systems do not tell the type in the directory
  return ::fstatat(directory, entry.d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISDIR(info.st_mode);
}

class PosixFileSystem final : public FileSystem {
 public:
  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    const int descriptor = ::open(path.c_str(), OpenFlags(mode) | O_CLOEXEC,
                                  mode == OpenMode::kCreatePrivate ? kPrivateFileMode : kFileMode);
    if (descriptor < 0) return PosixError(errno, "open", path);
    return std::make_unique<PosixFile>(descriptor, path);
  }

  void SyncAll(std::span<File* const> files, std::span<absl::Status> results) override {
    pool_.Run(files, results);
  }

  absl::StatusOr<FileInfo> Stat(const std::string& path) override {
    struct stat info;
    if (::stat(path.c_str(), &info) != 0) return PosixError(errno, "stat", path);
    const bool is_directory = S_ISDIR(info.st_mode);
    return FileInfo{is_directory, is_directory ? 0 : static_cast<uint64_t>(info.st_size)};
  }

  absl::StatusOr<std::vector<DirectoryEntry>> List(const std::string& directory) override {
    DIR* const stream = ::opendir(directory.c_str());
    if (stream == nullptr) return PosixError(errno, "list", directory);
    std::vector<DirectoryEntry> entries;
    errno = 0;
    while (const dirent* entry = ::readdir(stream)) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") {
        entries.push_back({std::string(name), IsDirectory(::dirfd(stream), *entry)});
      }
      errno = 0;
    }
    const int error = errno;
    ::closedir(stream);
    if (error != 0) return PosixError(error, "list", directory);
    std::ranges::sort(entries, {}, &DirectoryEntry::name);
    return entries;
  }

  absl::Status CreateDir(const std::string& path) override {
    return Check(::mkdir(path.c_str(), kDirectoryMode), "create directory", path);
  }
  absl::Status RemoveFile(const std::string& path) override {
    return Check(::unlink(path.c_str()), "remove", path);
  }
  absl::Status RemoveDir(const std::string& path) override {
    return Check(::rmdir(path.c_str()), "remove directory", path);
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
    return PosixError(errno, "rename", from + " to " + to);
  }

  absl::Status SyncDir(const std::string& directory) override {
    const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return PosixError(errno, "open directory", directory);
    int error = 0;
    do {
      error = ::fsync(descriptor) == 0 ? 0 : errno;
    } while (error == EINTR);
    ::close(descriptor);
    return error == 0 ? absl::OkStatus() : PosixError(error, "fsync", directory);
  }

  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    return LockPosixFile(path);
  }

  absl::StatusOr<uint64_t> FreeBytes(const std::string& path) override {
    struct statvfs info;
    if (::statvfs(path.c_str(), &info) != 0) return PosixError(errno, "statvfs", path);
    return static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
  }

 private:
  static absl::Status Check(int result, std::string_view operation, const std::string& path) {
    return result == 0 ? absl::OkStatus() : PosixError(errno, operation, path);
  }

  SyncPool pool_;
};

}  // namespace

std::unique_ptr<FileSystem> NewPosixFileSystem() { return std::make_unique<PosixFileSystem>(); }

}  // namespace cairn::env
