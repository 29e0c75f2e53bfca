#include "otel/sdk_log.h"

#include <opentelemetry/sdk/common/global_log_handler.h>

#include <chrono>
#include <mutex>
#include <utility>

#include "base/mutex.h"

namespace cairn::otel {
namespace {

namespace internal_log = opentelemetry::sdk::common::internal_log;
using std::chrono::steady_clock;

struct State {
  base::Mutex mutex;
  LogSink sink CAIRN_GUARDED_BY(mutex);
  steady_clock::time_point next CAIRN_GUARDED_BY(mutex);
  uint64_t suppressed CAIRN_GUARDED_BY(mutex) = 0;
};

// Of the process: an export that outlives its stop may still speak at the very end.
State& TheState() {
  static auto* const state = new State;
  return *state;
}

thread_local bool error_seen = false;

class Handler final : public internal_log::LogHandler {
 public:
  void Handle(internal_log::LogLevel level, const char* /*file*/, int /*line*/, const char* message,
              const opentelemetry::sdk::common::AttributeMap& /*attributes*/) noexcept override {
    if (level == internal_log::LogLevel::Error) error_seen = true;
    State& state = TheState();
    base::MutexLock lock(state.mutex);
    if (!state.sink || message == nullptr) return;
    const auto now = steady_clock::now();
    if (now < state.next) {
      ++state.suppressed;
      return;
    }
    state.next = now + std::chrono::nanoseconds(kLogIntervalNs);
    state.sink(message, std::exchange(state.suppressed, 0));
  }
};

void InstallHandler() {
  static std::once_flag once;
  std::call_once(once, [] {
    internal_log::GlobalLogHandler::SetLogHandler(
        opentelemetry::nostd::shared_ptr<internal_log::LogHandler>(new Handler));
    internal_log::GlobalLogHandler::SetLogLevel(internal_log::LogLevel::Warning);
  });
}

}  // namespace

SdkErrorWatch::SdkErrorWatch() {
  InstallHandler();
  error_seen = false;
}

bool SdkErrorWatch::seen() const { return error_seen; }

void SetSdkLogSink(LogSink sink) {
  InstallHandler();
  State& state = TheState();
  base::MutexLock lock(state.mutex);
  state.sink = std::move(sink);
  state.next = {};
}

}  // namespace cairn::otel
