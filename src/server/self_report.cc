#include "server/self_report.h"

#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/error_info.h"
#include "base/strings.h"
#include "server/process_metrics.h"
#include "telemetry/prometheus_text.h"

namespace cairn::server {
namespace {

using OrderedJson = nlohmann::ordered_json;

OrderedJson Limit(int which) {
  rlimit limit{};
  if (getrlimit(static_cast<__rlimit_resource>(which), &limit) != 0) return nullptr;
  if (limit.rlim_cur == RLIM_INFINITY) return "unlimited";
  return limit.rlim_cur;
}

// Not its command line, nor its environment: --encrypt may stand there.
OrderedJson Process() {
  const ProcessUse use = UseOfProcess();
  return {{"pid", getpid()},
          {"cpu_seconds", use.cpu_seconds},
          {"resident_bytes", use.resident_bytes},
          {"open_fds", use.descriptors},
          {"threads", use.threads},
          {"limits",
           {{"open_fds", Limit(RLIMIT_NOFILE)},
            {"address_space_bytes", Limit(RLIMIT_AS)},
            {"core_bytes", Limit(RLIMIT_CORE)}}}};
}

OrderedJson Machine(const std::string& data_dir) {
  OrderedJson json = {{"cpus", std::thread::hardware_concurrency()},
                      {"memory_bytes", static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) *
                                           static_cast<uint64_t>(sysconf(_SC_PAGESIZE))}};
  utsname name{};
  if (uname(&name) == 0) {
    json["system"] = base::StrCat(name.sysname, " ", name.release, " ", name.machine);
  }
  struct statvfs disk {};
  if (statvfs(data_dir.c_str(), &disk) == 0) {
    json["disk"] = {{"total_bytes", uint64_t{disk.f_blocks} * disk.f_frsize},
                    {"free_bytes", uint64_t{disk.f_bavail} * disk.f_frsize},
                    {"free_inodes", uint64_t{disk.f_favail}}};
  }
  return json;
}

OrderedJson Config(const ServerConfig& config) {
  OrderedJson json = OrderedJson::object();
  for (const ConfigKey& key : ConfigKeys()) json[std::string(key.name)] = key.show(config);
  return json;
}

OrderedJson Health(const std::vector<http::HealthCheck>& checks) {
  OrderedJson json = OrderedJson::array();
  for (const http::HealthCheck& check : checks) {
    OrderedJson row = {{"name", check.name}, {"ok", check.status.ok()}};
    if (!check.status.ok()) {
      row["tolerated"] = check.tolerated;
      row["why"] = std::string(base::StdView(check.status.message()));
    }
    json.push_back(std::move(row));
  }
  return json;
}

}  // namespace

void SelfReport::Answer(cluster::Inquiry inquiry, cluster::InquiryDone done) {
  size_t others = 0;
  {
    base::MutexLock lock(mutex_);
    others = waiting_.size();
    if (others < kMaxWaiting) waiting_.push_back({std::move(inquiry), std::move(done)});
  }
  if (others == kMaxWaiting) {
    return done(base::MakeError(absl::StatusCode::kResourceExhausted,
                                base::StrCat("more than ", kMaxWaiting, " questions are waiting"),
                                base::reason::kOverloaded));
  }
  // Otherwise the answer that is on its way begins later.
  if (others == 0) sources_.executor->Post([this] { AnswerWaiting(); });
}

void SelfReport::AnswerWaiting() {
  std::vector<Question> asked;
  {
    base::MutexLock lock(mutex_);
    asked = std::exchange(waiting_, {});
  }
  std::optional<telemetry::Samples> samples;
  std::map<std::vector<std::string>, std::string> texts;  // by names
  std::string diagnostics;
  for (auto& [inquiry, done] : asked) {
    if (stopped_) {
      done(base::MakeError(absl::StatusCode::kUnavailable, "the broker is shutting down",
                           base::reason::kShuttingDown));
      continue;
    }
    if (inquiry.what == cluster::Inquiry::What::kDiagnostics) {
      if (diagnostics.empty()) diagnostics = Diagnostics();
      done(diagnostics);
      continue;
    }
    if (!samples) samples.emplace(sources_.registry->Collect());
    std::string& text = texts[inquiry.names];
    if (text.empty()) text = telemetry::ToPrometheusText(*samples, inquiry.names);
    done(text);
  }
}

std::string SelfReport::Diagnostics() const {
  const std::string now =
      absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::Now(), absl::UTCTimeZone());
  return OrderedJson{{"time", now},
                     {"build", {{"version", CAIRN_VERSION}, {"compiler", Compiler()}}},
                     {"process", Process()},
                     {"machine", Machine(sources_.config->data_dir)},
                     {"config", Config(*sources_.config)},
                     {"health", Health(sources_.health())},
                     {"log", sources_.logger->LastLines()}}
      .dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

void SelfReport::Stop(absl::AnyInvocable<void()> done) {
  sources_.executor->Post([this, done = std::move(done)]() mutable {
    stopped_ = true;
    done();
  });
}

}  // namespace cairn::server
