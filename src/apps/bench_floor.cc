#include "apps/bench_floor.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "apps/interrupt.h"
#include "apps/report.h"
#include "base/strings.h"

namespace cairn::apps {
namespace {

// Starts anew at the front beyond this: the run shall not fill the disk.
constexpr uint64_t kMaxFileBytes = uint64_t{1} << 30;

}  // namespace

absl::StatusOr<FloorResult> MeasureFloor(const std::string& directory, size_t write_bytes,
                                         double seconds) {
  std::string path = directory + "/cairn-floor-XXXXXX";
  const int fd = mkostemp(path.data(), O_CLOEXEC);
  if (fd < 0)
    return absl::ErrnoToStatus(errno, base::StrCat("cannot create a file in ", directory));
  unlink(path.c_str());

  const std::string data(write_bytes, 'x');
  FloorResult result;
  absl::Status failure;
  uint64_t position = 0;
  const Stopwatch run;
  while (run.seconds() < seconds && !Interrupted()) {
    const Stopwatch one;
    const ssize_t wrote = pwrite(fd, data.data(), data.size(), static_cast<off_t>(position));
    if (wrote != static_cast<ssize_t>(data.size()) || fdatasync(fd) != 0) {
      failure =
          absl::ErrnoToStatus(wrote >= 0 && errno == 0 ? ENOSPC : errno, "write and sync failed");
      break;
    }
    result.latency.Add(static_cast<uint64_t>(one.seconds() * 1e9));
    ++result.writes;
    result.bytes += data.size();
    position += data.size();
    if (position + data.size() > kMaxFileBytes) {
      position = 0;
      if (ftruncate(fd, 0) != 0) failure = absl::ErrnoToStatus(errno, "cannot truncate");
    }
  }
  result.seconds = run.seconds();
  close(fd);
  if (!failure.ok()) return failure;
  return result;
}

}  // namespace cairn::apps
