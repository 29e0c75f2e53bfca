#include "apps/interrupt.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <csignal>

#include "base/check.h"

namespace cairn::apps {
namespace {

std::atomic<bool> interrupted = false;
// A pipe that becomes readable with the signal, so that poll sees it however early it came. It is
// never drained.
int pipe_fds[2] = {-1, -1};

extern "C" void HandleInterrupt(int /*signal*/) {
  interrupted.store(true);
  const char byte = 0;
  // The result does not matter: a full pipe is readable too.
  [[maybe_unused]] const ssize_t written = write(pipe_fds[1], &byte, 1);
}

}  // namespace

void CatchInterrupts() {
  if (pipe_fds[0] >= 0) return;
  CAIRN_CHECK(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) == 0, "no descriptors for a pipe at start");
  struct sigaction action {};
  action.sa_handler = HandleInterrupt;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool Interrupted() { return interrupted.load(std::memory_order_relaxed); }

int InterruptDescriptor() { return pipe_fds[0]; }

bool WaitReadable(int fd) {
  pollfd fds[2] = {{fd, POLLIN, 0}, {pipe_fds[0], POLLIN, 0}};
  while (!Interrupted()) {
    // EINTR is the signal or a stop and continue; an fd that poll cannot watch is reported
    // readable.
    if (poll(fds, 2, -1) > 0 && fds[0].revents != 0) return !Interrupted();
  }
  return false;
}

bool WaitInterrupted(int64_t timeout_ms) {
  pollfd fd = {pipe_fds[0], POLLIN, 0};
  if (!Interrupted()) poll(&fd, 1, static_cast<int>(timeout_ms));
  return Interrupted();
}

}  // namespace cairn::apps
