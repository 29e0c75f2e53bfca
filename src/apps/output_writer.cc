#include "apps/output_writer.h"

#include <unistd.h>

#include <cerrno>

#include "apps/interrupt.h"

namespace cairn::apps {

absl::Status SharedOutput::Write(std::string_view bytes) {
  base::MutexLock lock(mutex_);
  while (!bytes.empty()) {
    const ssize_t wrote = write(fd_, bytes.data(), bytes.size());
    if (wrote >= 0) {
      bytes.remove_prefix(static_cast<size_t>(wrote));
    } else if (errno == EPIPE || (errno == EINTR && Interrupted())) {
      return absl::CancelledError("nobody reads the output any more");
    } else if (errno != EINTR) {
      return absl::ErrnoToStatus(errno, "cannot write the output");
    }
  }
  return absl::OkStatus();
}

absl::Status OutputBuffer::Flush() {
  if (text_.empty()) return absl::OkStatus();
  const absl::Status status = output_.Write(text_);
  text_.clear();
  return status;
}

}  // namespace cairn::apps
