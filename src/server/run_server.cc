#include "server/run_server.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <ctime>
#include <memory>
#include <thread>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "base/check_hook.h"
#include "base/strings.h"
#include "otel/left_behind.h"
#include "otel/sdk_log.h"
#include "rpc/grpc_log.h"
#include "server/leave_cluster.h"
#include "server/process_tuning.h"
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

bool HasSecrets(const ServerConfig& config) {
  return !config.server_tls.key.empty() || !config.peer_tls.key.empty() ||
         !config.encrypt.empty() || !config.keyring_file.empty();
}

// What the process listens to: its ends, and SIGHUP, which re-reads files.
sigset_t AllSignals() {
  sigset_t signals = EndingSignals();
  sigaddset(&signals, SIGHUP);
  return signals;
}

// Ends the process when the stop hangs or the user insists.
void Watch(Logger& logger, int64_t deadline_ms, const std::atomic<bool>& stopped) {
  const sigset_t signals = EndingSignals();
  constexpr int64_t kStepMs = 50;
  const timespec step{.tv_sec = 0, .tv_nsec = kStepMs * 1'000'000};
  for (int64_t waited_ms = 0; waited_ms < deadline_ms; waited_ms += kStepMs) {
    if (stopped) return;
    if (sigtimedwait(&signals, nullptr, &step) > 0) {
      logger.Log(LogModule::kServer, LogLevel::kError,
                 "second signal: ending without a clean stop");
      logger.Flush();
      _exit(1);
    }
  }
  if (stopped) return;
  logger.Log(LogModule::kServer, LogLevel::kError,
             "the stop took too long: ending without closing the logs cleanly");
  logger.Flush();
  _exit(1);
}

// A check that fails ends the process: what was logged before says why.
class FlushAtCheck {
 public:
  explicit FlushAtCheck(Logger& logger) {
    logger_ = &logger;
    base::SetCheckFailedHook([] { logger_.load()->Flush(); });
  }
  ~FlushAtCheck() { base::SetCheckFailedHook(nullptr); }
  FlushAtCheck(const FlushAtCheck&) = delete;
  FlushAtCheck& operator=(const FlushAtCheck&) = delete;

 private:
  static inline std::atomic<Logger*> logger_{nullptr};  // the hook has no argument
};

// What holds from now on: the configuration as it is now or, when that is broken, as it was.
ServerConfig Reread(const std::function<absl::StatusOr<ServerConfig>()>& reread,
                    ServerConfig before, Logger& logger) {
  if (!reread) return before;
  absl::StatusOr<ServerConfig> config = reread();
  if (config.ok()) return *std::move(config);
  logger.Log(LogModule::kServer, LogLevel::kError, "configuration refused, the last good one stays",
             {{"error", std::string(base::StdView(config.status().message()))}});
  return before;
}

}  // namespace

int RunServer(const ServerConfig& config,
              const std::function<void(const std::string& address)>& ready,
              const std::function<absl::StatusOr<ServerConfig>()>& reread) {
  const sigset_t signals = AllSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE,
         SIG_IGN);  // a reader of our stderr that goes away must not take the server with it

  if (HasSecrets(config)) DenyCoreDumps();

  auto opened = Logger::Open(
      {.levels = config.log_level, .format = config.log_format, .file = config.log_file});
  if (!opened.ok()) {
    Logger::ToDescriptor(STDERR_FILENO, {.format = config.log_format})
        ->Log(LogModule::kServer, LogLevel::kError, "cannot start",
              {{"code", absl::StatusCodeToString(opened.status().code())},
               {"error", base::StrCat("--log-file: ", base::StdView(opened.status().message()))}});
    return 1;
  }
  const std::unique_ptr<Logger> logger = *std::move(opened);
  const FlushAtCheck flush(*logger);
  rpc::SetGrpcLogSink([logger = logger.get()](const std::string& message) {
    logger->Log(LogModule::kRpc, LogLevel::kWarn, "grpc", {{"error", message}});
  });
  otel::SetSdkLogSink([logger = logger.get()](const std::string& message, uint64_t suppressed) {
    logger->Log(LogModule::kServer, LogLevel::kWarn, "opentelemetry",
                {{"error", message}, {"suppressed", static_cast<int64_t>(suppressed)}});
  });
  const auto silence = absl::MakeCleanup([] {
    rpc::SetGrpcLogSink(nullptr);
    otel::SetSdkLogSink(nullptr);
  });
  auto server = Server::Start(config, *logger);
  if (!server.ok()) {
    logger->Log(LogModule::kServer, LogLevel::kError, "cannot start",
                {{"code", absl::StatusCodeToString(server.status().code())},
                 {"error", std::string(base::StdView(server.status().message()))}});
    return 1;
  }
  logger->Flush();  // who hears of the address may look at the log
  if (ready) ready((*server)->address());
  int signal_number = 0;
  ServerConfig current = config;
  while (sigwait(&signals, &signal_number) != 0 || signal_number == SIGHUP) {
    if (signal_number != SIGHUP) continue;
    logger->Log(LogModule::kServer, LogLevel::kInfo, "reloading",
                {{"signal", std::string("SIGHUP")}});
    logger->Reopen();
    current = Reread(reread, std::move(current), *logger);
    (*server)->Reload(current);
  }
  logger->Log(LogModule::kServer, LogLevel::kInfo, "stopping",
              {{"signal", std::string(signal_number == SIGINT ? "SIGINT" : "SIGTERM")}});
  std::atomic<bool> stopped{false};
  const int64_t deadline_ms = kStopDeadlineMs + (config.leave_on_stop ? kLeaveMs : 0);
  std::thread watchdog([&] { Watch(*logger, deadline_ms, stopped); });
  (*server)->Stop();
  server->reset();
  stopped = true;
  watchdog.join();
  if (otel::export_left_behind) {
    logger->Flush();
    _exit(0);
  }
  return 0;
}

}  // namespace cairn::server
