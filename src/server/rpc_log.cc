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

bool RpcLog::WantsRpc(absl::StatusCode code) const { return logger_.Enabled(LevelOf(code)); }

void RpcLog::OnRpc(const rpc::RpcOutcome& outcome) {
  const auto info = base::GetErrorInfo(outcome.status);
  logger_.Log(LevelOf(outcome.status.code()), "rpc",
              {{"method", std::string(outcome.method)},
               {"peer", outcome.peer},
               {"subject", outcome.subject},
               {"topic", std::string(outcome.topic)},
               {"partition", int64_t{outcome.partition}},
               {"code", absl::StatusCodeToString(outcome.status.code())},
               {"error", std::string(base::StdView(outcome.status.message()))},
               {"reason", info.has_value() ? info->reason : std::string()},
               {"duration_us", outcome.duration_ns / 1000},
               {"messages", static_cast<int64_t>(outcome.messages)}});
}

void RpcLog::OnConnectionRejected(std::string_view peer, std::string_view why) {
  if (!logger_.Enabled(LogLevel::kDebug)) return;
  logger_.Log(LogLevel::kDebug, "connection refused",
              {{"peer", std::string(peer)}, {"why", std::string(why)}});
}

}  // namespace cairn::server
