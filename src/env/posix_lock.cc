#include "env/posix_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include "absl/strings/numbers.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "env/posix_error.h"
#include "env/posix_file.h"

namespace cairn::env {
namespace {

class PosixFileLock final : public FileLock {
 public:
  explicit PosixFileLock(std::unique_ptr<PosixFile> file) : file_(std::move(file)) {}

 private:
  const std::unique_ptr<PosixFile> file_;  // closing it releases the lock
};

// "process 123", or what can be said when the file does not hold a process id.
std::string Holder(const PosixFile& file) {
  std::array<char, 32> content;
  const absl::StatusOr<size_t> size = file.ReadAt(0, content);
  int pid = 0;
  if (size.ok() && absl::SimpleAtoi(absl::string_view(content.data(), *size), &pid)) {
    return base::StrCat("process ", pid);
  }
  return "another process";
}

}  // namespace

absl::StatusOr<std::unique_ptr<FileLock>> LockPosixFile(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (descriptor < 0) return PosixError(errno, "lock", path);
  auto file = std::make_unique<PosixFile>(descriptor, path);

  struct flock whole = {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (::fcntl(descriptor, F_OFD_SETLK, &whole) != 0) {
    if (errno != EAGAIN && errno != EACCES) return PosixError(errno, "lock", path);
    return absl::FailedPreconditionError(base::StrCat("lock ", path, ": held by ", Holder(*file)));
  }
  const std::string pid = base::StrCat(::getpid(), "\n");
  const std::array<std::string_view, 1> content = {pid};
  CAIRN_RETURN_IF_ERROR(file->Truncate(0));
  CAIRN_RETURN_IF_ERROR(file->WriteAt(0, content));
  return std::make_unique<PosixFileLock>(std::move(file));
}

}  // namespace cairn::env
