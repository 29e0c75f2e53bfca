// cairn acl check SUBJECT OBJECT ACTION: what a model and a policy say, without a server.

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/command.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "env/files.h"
#include "env/posix.h"
#include "security/access.h"
#include "security/casbin/limits.h"

namespace cairn::apps {
namespace {

using Json = nlohmann::ordered_json;

struct Flags {
  std::string subject;
  std::string object;
  std::string action;
  std::string model;
  std::string policy;
  OutputFormat output = OutputFormat::kText;
};

// Whether a server with these files would allow it; prints why.
absl::StatusOr<bool> Check(const Flags& flags) {
  const auto fs = env::NewPosixFileSystem();
  CAIRN_ASSIGN_OR_RETURN(const std::string model,
                         env::ReadFile(*fs, flags.model, security::casbin::kMaxModelBytes));
  CAIRN_ASSIGN_OR_RETURN(const std::string policy,
                         env::ReadFile(*fs, flags.policy, security::casbin::kMaxPolicyBytes));
  std::string why;
  security::Access access(
      {.wants = [](bool) { return true; },
       .record = [&why](const security::AccessDecision& decision) { why = decision.rule; }});
  CAIRN_RETURN_IF_ERROR(access.Load(model, flags.model, policy, flags.policy));
  const bool allowed = access
                           .Check({.subject = flags.subject, .address = {}},
                                  *security::ParseAction(flags.action), {.topic = flags.object})
                           .ok();
  if (flags.output == OutputFormat::kJson) {
    std::cout << Json{{"allowed", allowed}, {"why", why}}.dump(-1, ' ', false,
                                                               Json::error_handler_t::replace)
              << '\n';
  } else {
    std::cout << why << '\n';
  }
  return allowed;
}

}  // namespace

void AddAclCommand(CLI::App& app, Chosen& chosen) {
  CLI::App* acl = app.add_subcommand("acl", "Look at rules of authorisation, without a server");
  acl->require_subcommand(1);
  CLI::App* check = acl->add_subcommand(
      "check",
      "Say whether files of a model and a policy allow something, and which rule decides; "
      "exit 3 when they do not");
  auto flags = std::make_shared<Flags>();
  const auto names = security::ActionNames();
  check->add_option("SUBJECT", flags->subject, "Who: the common name of a certificate")->required();
  check->add_option("OBJECT", flags->object, "On what: a topic, or * for what is about none")
      ->required();
  check
      ->add_option("ACTION", flags->action,
                   "produce, consume, create, delete, alter, describe or cluster")
      ->required()
      ->check(CLI::IsMember(std::vector<std::string>(names.begin(), names.end())));
  check->add_option("--model", flags->model, "The Casbin model")->required()->type_name("FILE");
  check->add_option("--policy", flags->policy, "The Casbin policy")->required()->type_name("FILE");
  AddOutputFlag(*check, flags->output);
  OnChosen(*check, chosen, flags->output, [&chosen, flags] {
    const absl::StatusOr<bool> allowed = Check(*flags);
    if (!allowed.ok()) return Fail(chosen, allowed.status());
    return *allowed ? kDone : kDenied;
  });
}

}  // namespace cairn::apps
