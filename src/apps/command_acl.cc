// cairn acl: what a model and a policy say, and the cluster's policy.

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "apps/admin_command.h"
#include "apps/command.h"
#include "apps/report.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "env/files.h"
#include "env/posix.h"
#include "security/access.h"
#include "security/casbin/limits.h"

namespace cairn::apps {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kNotInUse =
    "the node that answered does not follow it: start it with --acl-from-cluster";

struct Flags {
  std::string subject;
  std::string object;
  std::string action;
  std::string model;  // files
  std::string policy;
  std::optional<uint64_t> expected_version;
  ClientFlags client;
};

void Print(const Json& json) {
  std::cout << json.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
}

struct Texts {
  std::string model;
  std::string model_name;
  std::string policy;
  std::string policy_name;
};

absl::StatusOr<Texts> ReadTexts(const Flags& flags) {
  const auto fs = env::NewPosixFileSystem();
  Texts texts{.model_name = flags.model, .policy_name = flags.policy};
  CAIRN_ASSIGN_OR_RETURN(texts.model,
                         env::ReadFile(*fs, flags.model, security::casbin::kMaxModelBytes));
  CAIRN_ASSIGN_OR_RETURN(texts.policy,
                         env::ReadFile(*fs, flags.policy, security::casbin::kMaxPolicyBytes));
  return texts;
}

// Those of the cluster, when no files are named.
absl::StatusOr<Texts> FindTexts(const Flags& flags) {
  if (!flags.model.empty()) return ReadTexts(flags);
  CAIRN_ASSIGN_OR_RETURN(auto client, Connect(flags.client));
  CAIRN_ASSIGN_OR_RETURN(AccessPolicyInfo info, Admin(std::move(client)).GetAccessPolicy());
  if (info.version == 0) {
    return absl::NotFoundError(
        "the cluster has no policy; set one with `cairn acl set`, or name files with --model and "
        "--policy");
  }
  return Texts{.model = std::move(info.model),
               .model_name = "model",
               .policy = std::move(info.policy),
               .policy_name = "policy"};
}

// Whether a server with this model and policy would allow it; prints why.
absl::StatusOr<bool> Check(const Flags& flags) {
  CAIRN_ASSIGN_OR_RETURN(const Texts texts, FindTexts(flags));
  std::string why;
  security::Access access(
      {.wants = [](bool) { return true; },
       .record = [&why](const security::AccessDecision& decision) { why = decision.rule; }});
  CAIRN_RETURN_IF_ERROR(
      access.Load(texts.model, texts.model_name, texts.policy, texts.policy_name));
  const bool allowed = access
                           .Check({.subject = flags.subject, .address = {}},
                                  *security::ParseAction(flags.action), {.topic = flags.object})
                           .ok();
  if (flags.client.output == OutputFormat::kJson) {
    Print({{"allowed", allowed}, {"why", why}});
  } else {
    std::cout << why << '\n';
  }
  return allowed;
}

absl::Status Get(Admin& admin, const Flags& flags) {
  CAIRN_ASSIGN_OR_RETURN(const AccessPolicyInfo info, admin.GetAccessPolicy());
  const auto fs = env::NewPosixFileSystem();
  if (info.version != 0 && !flags.model.empty()) {
    CAIRN_RETURN_IF_ERROR(env::ReplaceFile(*fs, flags.model, info.model));
  }
  if (info.version != 0 && !flags.policy.empty()) {
    CAIRN_RETURN_IF_ERROR(env::ReplaceFile(*fs, flags.policy, info.policy));
  }
  if (flags.client.output == OutputFormat::kJson) {
    Print({{"version", info.version},
           {"model", info.model},
           {"policy", info.policy},
           {"set_ms", info.set_ms},
           {"in_use", info.in_use}});
    return absl::OkStatus();
  }
  if (info.version == 0) {
    std::cout << "the cluster has no policy: each node goes by its own files\n";
    return absl::OkStatus();
  }
  std::cout << "version " << info.version << ", set " << Rfc3339(info.set_ms) << '\n';
  if (!info.in_use) std::cout << kNotInUse << '\n';
  if (flags.model.empty()) std::cout << "\nmodel:\n" << info.model;
  if (flags.policy.empty()) std::cout << "\npolicy:\n" << info.policy;
  return absl::OkStatus();
}

absl::Status Set(Admin& admin, const Flags& flags) {
  CAIRN_ASSIGN_OR_RETURN(const Texts texts, ReadTexts(flags));
  CAIRN_ASSIGN_OR_RETURN(const AccessPolicyInfo info,
                         admin.SetAccessPolicy(texts.model, texts.policy, flags.expected_version));
  if (flags.client.output == OutputFormat::kJson) {
    Print({{"version", info.version}, {"in_use", info.in_use}});
    return absl::OkStatus();
  }
  std::cout << "version " << info.version << " of the policy is set\n";
  if (!info.in_use) std::cout << kNotInUse << '\n';
  return absl::OkStatus();
}

void AddCheck(CLI::App& acl, Chosen& chosen) {
  CLI::App* check = acl.add_subcommand(
      "check",
      "Say whether a model and a policy allow something, and which rule decides: those of files, "
      "without a server, or else those of the cluster; exit 3 when they do not");
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
  CLI::Option* model =
      check->add_option("--model", flags->model, "A Casbin model")->type_name("FILE");
  CLI::Option* policy =
      check->add_option("--policy", flags->policy, "A Casbin policy")->type_name("FILE");
  model->needs(policy);
  policy->needs(model);
  AddClientFlags(*check, flags->client);
  OnChosen(*check, chosen, flags->client.output, [&chosen, flags] {
    const absl::StatusOr<bool> allowed = Check(*flags);
    if (!allowed.ok()) return Fail(chosen, allowed.status());
    return *allowed ? kDone : kDenied;
  });
}

}  // namespace

void AddAclCommand(CLI::App& app, Chosen& chosen) {
  CLI::App* acl = app.add_subcommand("acl", "Look at and set who may do what");
  acl->require_subcommand(1);
  AddCheck(*acl, chosen);

  auto [get, get_flags] = AddAdminSubcommand<Flags>(
      *acl, chosen, "get", "Show the cluster's policy, or write it to files", Get);
  get->add_option("--model", get_flags->model, "Write the model there")->type_name("FILE");
  get->add_option("--policy", get_flags->policy, "Write the policy there")->type_name("FILE");

  auto [set, set_flags] = AddAdminSubcommand<Flags>(
      *acl, chosen, "set",
      "Give the cluster a policy, for all nodes that were started with --acl-from-cluster", Set);
  set->add_option("--model", set_flags->model, "The Casbin model")->required()->type_name("FILE");
  set->add_option("--policy", set_flags->policy, "The Casbin policy")
      ->required()
      ->type_name("FILE");
  set->add_option("--expected-version", set_flags->expected_version,
                  "Only if this version is set now, as `acl get` shows it; 0: none")
      ->type_name("N");
}

}  // namespace cairn::apps
