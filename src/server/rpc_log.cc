#include "server/rpc_log.h"

#include <string>

#include "base/error_info.h"
#include "base/strings.h"

namespace cairn::server {
namespace {

LogLevel LevelOf(absl::StatusCode code) {
  return code == absl::StatusCode::kOk || code == absl::StatusCode::kCancelled ? LogLevel::kDebug
                                                                               : LogLevel::kWarn;
}

}  // namespace

bool RpcLog::WantsRpc(absl::StatusCode code) const {
  return logger_.Enabled(LogModule::kRpc, LevelOf(code));
}

void RpcLog::OnRpc(const rpc::RpcOutcome& outcome) {
  const auto info = base::GetErrorInfo(outcome.status);
  logger_.Log(LogModule::kRpc, LevelOf(outcome.status.code()),
              outcome.streamed ? "stream closed" : "rpc",
              {{"method", std::string(outcome.method)},
               {"peer", outcome.peer},
               {"subject", outcome.subject},
               {"topic", std::string(outcome.topic)},
               {"partition", int64_t{outcome.partition}},
               {"code", absl::StatusCodeToString(outcome.status.code())},
               {"error", std::string(base::StdView(outcome.status.message()))},
               {"reason", info.has_value() ? info->reason : std::string()},
               {"duration_ns", outcome.duration_ns},
               {"requests", static_cast<int64_t>(outcome.requests)},
               {"responses", static_cast<int64_t>(outcome.responses)}});
}

void RpcLog::OnStreamOpen(const rpc::RpcOpening& opening) {
  logger_.Log(LogModule::kRpc, LogLevel::kDebug, "stream opened",
              {{"method", std::string(opening.method)},
               {"peer", opening.peer},
               {"subject", opening.subject},
               {"topic", std::string(opening.topic)},
               {"partition", int64_t{opening.partition}}});
}

void RpcLog::OnConnectionRejected(std::string_view peer, std::string_view why) {
  if (!logger_.Enabled(LogModule::kRpc, LogLevel::kDebug)) return;
  logger_.Log(LogModule::kRpc, LogLevel::kDebug, "connection refused",
              {{"peer", std::string(peer)}, {"why", std::string(why)}});
}

}  // namespace cairn::server
