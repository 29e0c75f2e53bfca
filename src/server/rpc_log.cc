#include "server/rpc_log.h"

#include <string>
#include <vector>

#include "base/error_info.h"
#include "base/strings.h"

namespace cairn::server {
namespace {

LogLevel LevelOf(absl::StatusCode code) {
  return code == absl::StatusCode::kOk || code == absl::StatusCode::kCancelled ? LogLevel::kDebug
                                                                               : LogLevel::kWarn;
}

void AddTrace(const base::TraceContext& trace, std::vector<LogField>& fields) {
  if (!trace.valid()) return;
  fields.push_back({"trace_id", trace.TraceIdText()});
  fields.push_back({"span_id", trace.SpanIdText()});
}

}  // namespace

bool RpcLog::WantsRpc(absl::StatusCode code) const {
  return logger_.Enabled(LogModule::kRpc, LevelOf(code));
}

void RpcLog::OnRpc(const rpc::RpcOutcome& outcome) {
  const auto info = base::GetErrorInfo(outcome.status);
  std::vector<LogField> fields = {{"method", std::string(outcome.method)},
                                  {"peer", outcome.peer},
                                  {"subject", outcome.subject},
                                  {"topic", std::string(outcome.topic)},
                                  {"partition", int64_t{outcome.partition}},
                                  {"code", absl::StatusCodeToString(outcome.status.code())},
                                  {"error", std::string(base::StdView(outcome.status.message()))},
                                  {"reason", info.has_value() ? info->reason : std::string()},
                                  {"duration_ns", outcome.duration_ns},
                                  {"requests", static_cast<int64_t>(outcome.requests)},
                                  {"responses", static_cast<int64_t>(outcome.responses)}};
  AddTrace(outcome.trace, fields);
  logger_.Log(LogModule::kRpc, LevelOf(outcome.status.code()),
              outcome.streamed ? "stream closed" : "rpc", fields);
}

void RpcLog::OnStreamOpen(const rpc::RpcOpening& opening) {
  std::vector<LogField> fields = {{"method", std::string(opening.method)},
                                  {"peer", opening.peer},
                                  {"subject", opening.subject},
                                  {"topic", std::string(opening.topic)},
                                  {"partition", int64_t{opening.partition}}};
  AddTrace(opening.trace, fields);
  logger_.Log(LogModule::kRpc, LogLevel::kDebug, "stream opened", fields);
}

void RpcLog::OnConnectionRejected(std::string_view peer, std::string_view why) {
  if (!logger_.Enabled(LogModule::kRpc, LogLevel::kDebug)) return;
  logger_.Log(LogModule::kRpc, LogLevel::kDebug, "connection refused",
              {{"peer", std::string(peer)}, {"why", std::string(why)}});
}

}  // namespace cairn::server
