#include "rpc/grpc_log.h"

#include <grpc/support/log.h>

#include <cstdlib>
#include <utility>

#include "base/mutex.h"

namespace cairn::rpc {
namespace {

struct Sink {
  base::Mutex mutex;
  std::function<void(const std::string&)> write CAIRN_GUARDED_BY(mutex);
};

// Never destroyed: gRPC's threads outlive main.
Sink& TheSink() {
  static Sink* const sink = new Sink;
  return *sink;
}

void Write(gpr_log_func_args* message) {
  Sink& sink = TheSink();
  const base::MutexLock lock(sink.mutex);
  if (sink.write) sink.write(message->message);
}

}  // namespace

void SetGrpcLogSink(std::function<void(const std::string& message)> sink) {
  if (std::getenv("GRPC_VERBOSITY") != nullptr || std::getenv("GRPC_TRACE") != nullptr) return;
  {
    const base::MutexLock lock(TheSink().mutex);
    TheSink().write = std::move(sink);
  }
  gpr_set_log_function(Write);
}

}  // namespace cairn::rpc
