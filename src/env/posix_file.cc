#include "env/posix_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "env/posix_error.h"

namespace cairn::env {
namespace {

// IOV_MAX, the most buffers that one pwritev takes on Linux.
constexpr size_t kMaxBuffersPerCall = 1024;

class PosixMapping final : public Mapping {
 public:
  PosixMapping(std::span<char> bytes, std::string path) : bytes_(bytes), path_(std::move(path)) {}
  ~PosixMapping() override { ::munmap(bytes_.data(), bytes_.size()); }
  PosixMapping(const PosixMapping&) = delete;
  PosixMapping& operator=(const PosixMapping&) = delete;

  std::span<char> bytes() override { return bytes_; }

  absl::Status Sync() override {
    if (::msync(bytes_.data(), bytes_.size(), MS_SYNC) != 0) {
      return PosixError(errno, "msync", path_);
    }
    return absl::OkStatus();
  }

 private:
  const std::span<char> bytes_;
  const std::string path_;
};

}  // namespace

PosixFile::PosixFile(int descriptor, std::string path)
    : descriptor_(descriptor), path_(std::move(path)) {}

// The outcome of close says nothing about durability; whoever needs that has called Sync.
PosixFile::~PosixFile() { ::close(descriptor_); }

absl::StatusOr<size_t> PosixFile::ReadAt(uint64_t position, std::span<char> into) const {
  size_t done = 0;
  while (done < into.size()) {
    const ssize_t got = ::pread(descriptor_, into.data() + done, into.size() - done,
                                static_cast<off_t>(position + done));
    if (got > 0) {
      done += static_cast<size_t>(got);
    } else if (got == 0) {
      break;
    } else if (errno != EINTR) {
      return PosixError(errno, "read", path_);
    }
  }
  return done;
}

absl::Status PosixFile::WriteAt(uint64_t position, std::span<const std::string_view> buffers) {
  absl::InlinedVector<iovec, 16> pieces;
  pieces.reserve(buffers.size());
  for (const std::string_view buffer : buffers) {
    if (!buffer.empty()) pieces.push_back({const_cast<char*>(buffer.data()), buffer.size()});
  }
  iovec* next = pieces.data();
  iovec* const end = next + pieces.size();
  while (next != end) {
    const int count = static_cast<int>(std::min<size_t>(end - next, kMaxBuffersPerCall));
    const ssize_t wrote = ::pwritev(descriptor_, next, count, static_cast<off_t>(position));
    if (wrote < 0) {
      if (errno == EINTR) continue;
      return PosixError(errno, "write", path_);
    }
    // Zero bytes of a non-empty request means that no progress is possible; going on would spin.
    if (wrote == 0) return PosixError(EIO, "write", path_);
    position += static_cast<uint64_t>(wrote);
    auto rest = static_cast<size_t>(wrote);
    while (next != end && rest >= next->iov_len) {
      rest -= next->iov_len;
      ++next;
    }
    if (rest > 0) {
      next->iov_base = static_cast<char*>(next->iov_base) + rest;
      next->iov_len -= rest;
    }
  }
  return absl::OkStatus();
}

absl::Status PosixFile::Sync() {
  // EINTR reports no I/O error, so this is the one failure after which asking again is sound.
  while (::fdatasync(descriptor_) != 0) {
    if (errno != EINTR) return PosixError(errno, "fdatasync", path_);
  }
  return absl::OkStatus();
}

absl::Status PosixFile::Truncate(uint64_t size_bytes) {
  while (::ftruncate(descriptor_, static_cast<off_t>(size_bytes)) != 0) {
    if (errno != EINTR) return PosixError(errno, "truncate", path_);
  }
  return absl::OkStatus();
}

absl::Status PosixFile::Allocate(uint64_t size_bytes) {
  if (size_bytes == 0) return absl::OkStatus();
  int error;
  do {
    error = ::posix_fallocate(descriptor_, 0, static_cast<off_t>(size_bytes));
  } while (error == EINTR);
  return error == 0 ? absl::OkStatus() : PosixError(error, "allocate", path_);
}

absl::StatusOr<uint64_t> PosixFile::Size() const {
  struct stat info;
  if (::fstat(descriptor_, &info) != 0) return PosixError(errno, "stat", path_);
  return static_cast<uint64_t>(info.st_size);
}

absl::StatusOr<std::unique_ptr<Mapping>> PosixFile::Map(uint64_t size_bytes) {
  CAIRN_ASSIGN_OR_RETURN(const uint64_t file_size, Size());
  if (size_bytes == 0 || size_bytes > file_size) {
    return absl::InvalidArgumentError(
        base::StrCat("map ", path_, ": ", size_bytes, " bytes of a file of ", file_size));
  }
  void* address = ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_, 0);
  if (address == MAP_FAILED) return PosixError(errno, "map", path_);
  return std::make_unique<PosixMapping>(std::span(static_cast<char*>(address), size_bytes), path_);
}

}  // namespace cairn::env
