#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "env/line_sink.h"
#include "env/posix_error.h"

namespace cairn::env {
namespace {

class DescriptorSink final : public LineSink {
 public:
  explicit DescriptorSink(int descriptor) : descriptor_(descriptor) {}

  absl::Status Open() override { return absl::OkStatus(); }
  absl::Status Sync() override { return absl::OkStatus(); }
  void Close() override {}

  absl::Status Write(std::string& lines) override {
    size_t written = 0;
    absl::Status status;
    while (written < lines.size() && status.ok()) status = WriteSome(lines, written);
    lines.erase(0, written);
    return status;
  }

 private:
  // A pipe that has room at all has room for PIPE_BUF bytes, so that the write does not block. The
  // descriptor is not made non-blocking: others have it, too.
  absl::Status WriteSome(const std::string& lines, size_t& written) const {
    pollfd waiting{.fd = descriptor_, .events = POLLOUT, .revents = 0};
    const int ready = poll(&waiting, 1, kDescriptorPatienceMs);
    if (ready == 0) return absl::UnavailableError("nobody reads the log");
    if (ready > 0) {
      const size_t size = std::min<size_t>(lines.size() - written, PIPE_BUF);
      const ssize_t count = write(descriptor_, lines.data() + written, size);
      if (count >= 0) {
        written += static_cast<size_t>(count);
        return absl::OkStatus();
      }
    }
    if (errno == EINTR || errno == EAGAIN) return absl::OkStatus();
    return PosixError(errno, "write", "the log's descriptor");
  }

  const int descriptor_;
};

}  // namespace

std::unique_ptr<LineSink> NewDescriptorSink(int descriptor) {
  return std::make_unique<DescriptorSink>(descriptor);
}

}  // namespace cairn::env
