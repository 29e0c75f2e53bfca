#include "server/console/status_endpoint.h"

#include <array>
#include <optional>
#include <utility>

#include "base/error_info.h"
#include "base/status_macros.h"
#include "broker/topic.h"
#include "http/query.h"
#include "server/console/json_answer.h"
#include "server/console/status_json.h"

namespace cairn::server {
namespace {

constexpr std::array<std::string_view, 1> kStatusParameters = {"topic"};

}  // namespace

struct StatusEndpoint::Question {
  std::string topic;
  http::RouteTable::Respond respond;
  env::Executor::TimerId timer = 0;
  std::optional<absl::StatusOr<cluster::ClusterReport>> report;
  std::optional<absl::StatusOr<std::vector<cluster::GossipMember>>> members;
  bool answered = false;
};

void StatusEndpoint::AddTo(http::RouteTable& routes) {
  routes.AddSlow(
      "GET", "/status.json",
      [self = shared_from_this()](const http::Request& request, http::RouteTable::Respond respond) {
        auto topic = self->Admit(request);
        if (!topic.ok()) return respond(JsonError(topic.status()));
        self->dependencies_.executor->Post(
            [self, topic = *std::move(topic), respond = std::move(respond)]() mutable {
              self->Ask(std::move(topic), std::move(respond));
            });
      });
}

absl::StatusOr<std::string> StatusEndpoint::Admit(const http::Request& request) const {
  CAIRN_RETURN_IF_ERROR(dependencies_.guard.CheckIdentity(request));
  if (dependencies_.own_hosts != nullptr) {
    CAIRN_RETURN_IF_ERROR(dependencies_.own_hosts->Check(request.host));
  }
  CAIRN_ASSIGN_OR_RETURN(const http::Query query,
                         http::Query::Parse(request.query, kStatusParameters));
  const std::string* topic = query.Find("topic");
  if (topic == nullptr) {
    CAIRN_RETURN_IF_ERROR(dependencies_.guard.Check(request, security::Action::kDescribe, {}));
    return std::string();
  }
  CAIRN_RETURN_IF_ERROR(broker::ValidateTopicName(*topic));
  CAIRN_RETURN_IF_ERROR(
      dependencies_.guard.Check(request, security::Action::kDescribe, {.topic = *topic}));
  CAIRN_RETURN_IF_ERROR(dependencies_.node->DescribeTopic(*topic).status());
  return *topic;
}

void StatusEndpoint::Ask(std::string topic, http::RouteTable::Respond respond) {
  if (stopped_) return respond(JsonError(ShuttingDown()));
  auto question = std::make_shared<Question>();
  question->topic = std::move(topic);
  question->respond = std::move(respond);
  env::Executor& executor = *dependencies_.executor;
  const auto take_report = [self = shared_from_this(),
                            question](absl::StatusOr<cluster::ClusterReport> report) {
    if (question->report) return;
    question->report = std::move(report);
    self->AnswerWhenComplete(question);
  };
  question->timer = executor.PostAfter(kStatusTimeoutNs, [take_report] {
    take_report(absl::DeadlineExceededError("the controller does not answer"));
  });
  dependencies_.node->Report(
      [&executor, take_report](absl::StatusOr<cluster::ClusterReport> report) {
        executor.Post([take_report, report = std::move(report)] { take_report(report); });
      });
  dependencies_.membership->List([self = shared_from_this(), &executor, question](
                                     absl::StatusOr<std::vector<cluster::GossipMember>> members) {
    executor.Post([self, question, members = std::move(members)] {
      question->members = members;
      self->AnswerWhenComplete(question);
    });
  });
}

void StatusEndpoint::AnswerWhenComplete(const QuestionPtr& question) {
  if (!question->report || !question->members || question->answered) return;
  question->answered = true;
  dependencies_.executor->Cancel(question->timer);
  if (stopped_) return question->respond(JsonError(ShuttingDown()));
  question->respond(JsonAnswer(StatusJson({.node = *dependencies_.node,
                                           .node_name = dependencies_.node_name,
                                           .topic = std::move(question->topic),
                                           .report = *std::move(question->report),
                                           .gossip = dependencies_.membership->Observe(),
                                           .members = *std::move(question->members),
                                           .checks = dependencies_.checks(),
                                           .now_ms = dependencies_.clock->WallMs()})));
}

void StatusEndpoint::Stop(absl::AnyInvocable<void()> done) {
  dependencies_.executor->Post([self = shared_from_this(), done = std::move(done)]() mutable {
    self->stopped_ = true;
    done();
  });
}

}  // namespace cairn::server
