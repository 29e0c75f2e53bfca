#include "security/audit_log.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/time/time.h"
#include "base/status_macros.h"

namespace cairn::security {
namespace {

using Json = nlohmann::ordered_json;

std::string Rfc3339(int64_t time_ms) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::FromUnixMillis(time_ms),
                          absl::UTCTimeZone());
}

// ASCII only: what a peer calls itself neither ends the line nor steers the terminal of whoever
// reads it.
void AppendLine(const Json& json, std::string& text) {
  text += json.dump(-1, ' ', true, Json::error_handler_t::replace);
  text += '\n';
}

void AppendDropped(int64_t time_ms, uint64_t count, std::string& text) {
  AppendLine({{"time", Rfc3339(time_ms)}, {"dropped", count}}, text);
}

void AppendRecord(const AuditRecord& record, std::string& text) {
  AppendLine({{"time", Rfc3339(record.time_ms)},
              {"subject", record.subject},
              {"address", record.address},
              {"action", record.action},
              {"object", record.object},
              {"allowed", record.allowed},
              {"rule", record.rule}},
             text);
}

void Shorten(std::string& text) {
  if (text.size() <= kMaxAuditTextBytes) return;
  text.resize(kMaxAuditTextBytes);
  text += "...";
}

}  // namespace

absl::StatusOr<std::unique_ptr<AuditLog>> AuditLog::Open(env::FileSystem& fs,
                                                         env::Executor& executor,
                                                         AuditLogOptions options,
                                                         OnError on_error) {
  if (options.path.empty()) return absl::InvalidArgumentError("an audit log needs a path");
  if (options.max_queued == 0) {
    return absl::InvalidArgumentError("an audit log with a queue of 0 records writes none");
  }
  std::unique_ptr<env::LineSink> sink = env::NewFileSink(fs, std::move(options.path));
  CAIRN_RETURN_IF_ERROR(sink->Open());
  return std::unique_ptr<AuditLog>(new AuditLog(options.which, executor, std::move(sink),
                                                {.max_queued = options.max_queued,
                                                 .sync = options.sync,
                                                 .append_dropped = AppendDropped,
                                                 .on_error = std::move(on_error)}));
}

void AuditLog::Record(AuditRecord record) {
  if (record.allowed && which_ == AuditedDecisions::kDenials) return;
  for (std::string* text :
       {&record.subject, &record.address, &record.action, &record.object, &record.rule}) {
    Shorten(*text);
  }
  const int64_t time_ms = record.time_ms;
  lines_.Add(time_ms,
             [record = std::move(record)](std::string& text) { AppendRecord(record, text); });
}

}  // namespace cairn::security
