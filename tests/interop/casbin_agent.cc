// Our side of the comparison with Casbin's own implementation (casbin_test.js): reads one JSON
// object per line
//   {"model": text, "policy": text, "context": [r, p, e, m], "requests": [[value, ...], ...]}
// from stdin and answers each with {"load": error} or {"verdicts": [true | false | error, ...]}.
// `casbin_agent --time SECONDS` reads one such line and prints the decisions per second without the
// cache.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "security/casbin/enforcer.h"

namespace cairn::security::casbin {
namespace {

using Json = nlohmann::json;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

absl::StatusOr<std::shared_ptr<const Enforcer>> Load(const Json& question) {
  auto model = Model::Parse(question["model"].get<std::string>());
  if (!model.ok()) return model.status();
  return Enforcer::Create(*model, question["policy"].get<std::string>(), {.cached_decisions = 0});
}

Context ContextOf(const Json& question) {
  if (!question.contains("context")) return {};
  const Json& of = question["context"];
  return {.request = of[0], .policy = of[1], .effect = of[2], .matcher = of[3]};
}

std::vector<RequestValue> RequestOf(const Json& values) {
  std::vector<RequestValue> request;
  for (const Json& value : values) {
    if (value.is_string()) {
      request.emplace_back(*value.get_ptr<const std::string*>());
    } else {
      request.emplace_back(&value);
    }
  }
  return request;
}

Json Answer(const Json& question) {
  const auto enforcer = Load(question);
  if (!enforcer.ok()) return {{"load", Message(enforcer.status())}};
  Json verdicts = Json::array();
  for (const Json& values : question["requests"]) {
    const auto decision = (*enforcer)->Enforce(RequestOf(values), ContextOf(question));
    verdicts.push_back(decision.ok() ? Json(decision->allowed) : Json(Message(decision.status())));
  }
  return {{"verdicts", verdicts}};
}

int Time(const Json& question, double seconds) {
  const auto enforcer = Load(question);
  if (!enforcer.ok()) return 1;
  std::vector<std::vector<RequestValue>> requests;
  for (const Json& values : question["requests"]) requests.push_back(RequestOf(values));
  size_t decisions = 0;
  size_t allowed = 0;
  const auto start = std::chrono::steady_clock::now();
  std::chrono::duration<double> passed{};
  while (passed.count() < seconds) {
    for (const auto& request : requests) {
      const auto decision = (*enforcer)->Enforce(request, ContextOf(question));
      allowed += decision.ok() && decision->allowed ? 1 : 0;
    }
    decisions += requests.size();
    passed = std::chrono::steady_clock::now() - start;
  }
  std::cout << Json{{"decisions", decisions}, {"allowed", allowed}, {"seconds", passed.count()}}
            << std::endl;
  return 0;
}

}  // namespace
}  // namespace cairn::security::casbin

int main(int argc, char** argv) {
  using namespace cairn::security::casbin;
  std::string line;
  while (std::getline(std::cin, line)) {
    const Json question = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (question.is_discarded()) return 2;
    if (argc > 2 && std::string_view(argv[1]) == "--time")
      return Time(question, std::atof(argv[2]));
    std::cout << Answer(question).dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
  }
  return 0;
}
