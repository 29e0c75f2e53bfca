#include "server/run_server.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <ctime>
#include <thread>

#include "base/strings.h"
#include "server/server.h"

namespace cairn::server {
namespace {

sigset_t EndingSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

// Ends the process when the stop hangs or the user insists.
void Watch(Logger& logger, const std::atomic<bool>& stopped) {
  const sigset_t signals = EndingSignals();
  constexpr int64_t kStepMs = 50;
  const timespec step{.tv_sec = 0, .tv_nsec = kStepMs * 1'000'000};
  for (int64_t waited_ms = 0; waited_ms < kStopDeadlineMs; waited_ms += kStepMs) {
    if (stopped) return;
    if (sigtimedwait(&signals, nullptr, &step) > 0) {
      logger.Log(LogLevel::kError, "second signal: ending without a clean stop");
      _exit(1);
    }
  }
  if (stopped) return;
  logger.Log(LogLevel::kError, "the stop took too long: ending without closing the logs cleanly");
  _exit(1);
}

}  // namespace

int RunServer(const ServerConfig& config,
              const std::function<void(const std::string& address)>& ready) {
  const sigset_t signals = EndingSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE,
         SIG_IGN);  // a reader of our stderr that goes away must not take the server with it

  const auto logger = Logger::ToStderr(config.log_level, config.log_format);
  auto server = Server::Start(config, *logger);
  if (!server.ok()) {
    logger->Log(LogLevel::kError, "cannot start",
                {{"code", absl::StatusCodeToString(server.status().code())},
                 {"error", std::string(base::StdView(server.status().message()))}});
    return 1;
  }
  if (ready) ready((*server)->address());
  int signal_number = 0;
  while (sigwait(&signals, &signal_number) != 0) {
  }
  logger->Log(LogLevel::kInfo, "stopping",
              {{"signal", std::string(signal_number == SIGINT ? "SIGINT" : "SIGTERM")}});
  std::atomic<bool> stopped{false};
  std::thread watchdog([&] { Watch(*logger, stopped); });
  (*server)->Stop();
  server->reset();
  stopped = true;
  watchdog.join();
  return 0;
}

}  // namespace cairn::server
