#include "security/access.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error_info.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace cairn::security {
namespace {

constexpr size_t kRequestValues = 3;

constexpr std::array<std::string_view, 7> kActionNames = {"produce", "consume",  "create", "delete",
                                                          "alter",   "describe", "cluster"};
// Whoever may one of these to a topic may also see what it is like.
constexpr std::array kImplyDescribe = {Action::kProduce, Action::kConsume, Action::kAlter,
                                       Action::kDelete};

}  // namespace

std::string_view ToString(Action action) { return kActionNames[static_cast<size_t>(action)]; }

std::span<const std::string_view> ActionNames() { return kActionNames; }

std::optional<Action> ParseAction(std::string_view name) {
  const auto found = std::find(kActionNames.begin(), kActionNames.end(), name);
  if (found == kActionNames.end()) return std::nullopt;
  return static_cast<Action>(found - kActionNames.begin());
}

absl::Status Access::Load(std::string_view model, const std::string& model_file,
                          std::string_view policy, const std::string& policy_file) {
  CAIRN_ASSIGN_OR_RETURN(auto parsed, casbin::Model::Parse(model, model_file));
  CAIRN_ASSIGN_OR_RETURN(auto enforcer, casbin::Enforcer::Create(std::move(parsed), policy,
                                                                 {.policy_file = policy_file}));
  // A model of other requests would deny everything, one call at a time.
  const size_t values = enforcer->model().names().requests.front().names.size();
  if (values != kRequestValues) {
    return absl::InvalidArgumentError(
        base::StrCat(model_file, ": a request has ", values,
                     " values in it, but cairn asks with three: subject, object, action"));
  }
  const base::MutexLock lock(mutex_);
  current_ = std::move(enforcer);
  version_.fetch_add(1, std::memory_order_release);
  return absl::OkStatus();
}

std::shared_ptr<const casbin::Enforcer> Access::Current() const {
  const base::MutexLock lock(mutex_);
  return current_;
}

Access::Verdict Access::Ask(const casbin::Enforcer& enforcer, std::string_view subject,
                            std::string_view object, Action action, bool words) {
  const auto decision = enforcer.Enforce({subject, object, ToString(action)});
  Verdict verdict;
  if (!decision.ok()) {
    // Closed: what cannot be decided is not allowed, whatever another rule would say.
    verdict.by_rule = true;
    if (words) {
      verdict.rule = base::StrCat("denied: ", base::StdView(decision.status().message()));
    }
    return verdict;
  }
  verdict.allowed = decision->allowed;
  verdict.by_rule = decision->rule >= 0;
  if (words) verdict.rule = enforcer.Explain(*decision);
  return verdict;
}

Access::Verdict Access::Decide(const casbin::Enforcer& enforcer, const Caller& caller,
                               Action action, const Object& object, bool words) {
  Verdict verdict = Ask(enforcer, caller.subject, object.topic, action, words);
  const auto settled = [&] { return verdict.allowed || verdict.by_rule; };
  if (!settled() && object.unnamed) {
    verdict = Ask(enforcer, caller.subject, kNoTopic, action, words);
  }
  if (!settled() && action == Action::kDescribe) {
    for (const Action implies : kImplyDescribe) {
      Verdict other = Decide(enforcer, caller, implies, object, words);
      if (other.allowed) return other;
    }
  }
  return verdict;
}

absl::Status Access::Check(const Caller& caller, Action action, const Object& object) const {
  if (!enforced()) return absl::OkStatus();
  const bool audited = auditor_.wants != nullptr;
  Verdict verdict;
  if (caller.subject.empty()) {
    verdict.rule = "denied: no certificate with a common name was shown";
  } else {
    const auto enforcer = Current();
    verdict = Decide(*enforcer, caller, action, object, false);
    // Words cost ten times what the decision does.
    if (audited && auditor_.wants(verdict.allowed)) {
      verdict = Decide(*enforcer, caller, action, object, true);
    }
  }
  if (audited && auditor_.wants(verdict.allowed)) {
    auditor_.record({.caller = caller,
                     .action = action,
                     .object = object.topic,
                     .allowed = verdict.allowed,
                     .rule = std::move(verdict.rule)});
  }
  if (verdict.allowed) return absl::OkStatus();
  if (caller.subject.empty()) {
    return base::MakeError(absl::StatusCode::kUnauthenticated,
                           "no identity: show a certificate with a common name",
                           base::reason::kNoIdentity);
  }
  return base::MakeError(
      absl::StatusCode::kPermissionDenied,
      base::StrCat(caller.subject, " not permitted to ", ToString(action), " to ", object.topic),
      base::reason::kNotPermitted,
      {{"subject", caller.subject},
       {"action", std::string(ToString(action))},
       {"object", std::string(object.topic)}});
}

bool Access::May(const Caller& caller, Action action, const Object& object) const {
  if (!enforced()) return true;
  return !caller.subject.empty() && Decide(*Current(), caller, action, object, false).allowed;
}

}  // namespace cairn::security
