// cairn acl check SUBJECT OBJECT ACTION: what a model and a policy say, without a server.

#include <array>
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
#include "security/casbin/enforcer.h"
#include "security/casbin/limits.h"

namespace cairn::apps {
namespace {

using Json = nlohmann::ordered_json;
namespace casbin = security::casbin;

// What a server asks its policy about.
constexpr std::array kActions = {"produce", "consume",  "create", "delete",
                                 "alter",   "describe", "cluster"};

struct Flags {
  std::string subject;
  std::string object;
  std::string action;
  std::string model;
  std::string policy;
  OutputFormat output = OutputFormat::kText;
};

// Whether it is allowed; prints why.
absl::StatusOr<bool> Check(const Flags& flags) {
  const auto fs = env::NewPosixFileSystem();
  CAIRN_ASSIGN_OR_RETURN(const std::string model_text,
                         env::ReadFile(*fs, flags.model, casbin::kMaxModelBytes));
  CAIRN_ASSIGN_OR_RETURN(const std::string policy_text,
                         env::ReadFile(*fs, flags.policy, casbin::kMaxPolicyBytes));
  CAIRN_ASSIGN_OR_RETURN(auto model, casbin::Model::Parse(model_text, flags.model));
  CAIRN_ASSIGN_OR_RETURN(
      const auto enforcer,
      casbin::Enforcer::Create(std::move(model), policy_text,
                               {.policy_file = flags.policy, .cached_decisions = 0}));
  const absl::StatusOr<casbin::Decision> decision =
      enforcer->Enforce({flags.subject, flags.object, flags.action});
  if (!decision.ok()) {
    return absl::Status(
        decision.status().code(),
        base::StrCat(flags.model, ": ", base::StdView(decision.status().message())));
  }
  const std::string why = enforcer->Explain(*decision);
  if (flags.output == OutputFormat::kJson) {
    std::cout << Json{{"allowed", decision->allowed}, {"why", why}}.dump(
                     -1, ' ', false, Json::error_handler_t::replace)
              << '\n';
  } else {
    std::cout << why << '\n';
  }
  return decision->allowed;
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
  check->add_option("SUBJECT", flags->subject, "Who: the common name of a certificate")->required();
  check->add_option("OBJECT", flags->object, "On what: a topic")->required();
  check
      ->add_option("ACTION", flags->action,
                   "produce, consume, create, delete, alter, describe or cluster")
      ->required()
      ->check(CLI::IsMember(std::vector<std::string>(kActions.begin(), kActions.end())));
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
