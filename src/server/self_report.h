// SelfReport: what this node says of itself to operators: its metrics, and what it takes to find
// out from elsewhere what is wrong with it.
//
// Between whoever asks (a client, or another node on behalf of one) and what is gathered, on the
// executor of the scrapes: some of it waits for the shards. Questions that come together share what
// is gathered.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "base/mutex.h"
#include "cluster/node.h"
#include "env/executor.h"
#include "http/health_routes.h"
#include "server/logger.h"
#include "server/server_config.h"
#include "telemetry/registry.h"

namespace cairn::server {

class SelfReport {
 public:
  // All of it outlives the report's Stop, and is used on `executor`, which may block.
  struct Sources {
    env::Executor* executor;
    telemetry::Registry* registry;
    const ServerConfig* config;
    const Logger* logger;
    std::function<std::vector<http::HealthCheck>()> health;
  };
  explicit SelfReport(Sources sources) : sources_(std::move(sources)) {}

  // Questions that wait. Each has a call or a connection, of which there may be more.
  static constexpr size_t kMaxWaiting = 1024;

  // As cluster::Node::Dependencies::answer_inquiry. Any thread. Errors: RESOURCE_EXHAUSTED with
  // OVERLOADED.
  void Answer(cluster::Inquiry inquiry, cluster::InquiryDone done);

  // Answers UNAVAILABLE from then on. `done` runs on the executor.
  void Stop(absl::AnyInvocable<void()> done);

 private:
  struct Question {
    cluster::Inquiry inquiry;
    cluster::InquiryDone done;
  };

  void AnswerWaiting();
  std::string Diagnostics() const;

  const Sources sources_;
  bool stopped_ = false;  // on the executor

  base::Mutex mutex_;
  std::vector<Question> waiting_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn::server
