// Who may do what: a model and a policy, ready to decide. The API of this folder.
//
// An Enforcer is a snapshot: immutable but for its cache of decisions, thread-safe. A policy that
// changes makes a new one; whoever is deciding keeps the one it has.
//
// Fails closed: what cannot be evaluated is an error, and an error is no permission.
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "security/casbin/decision_cache.h"
#include "security/casbin/model.h"
#include "security/casbin/policy.h"
#include "security/casbin/request.h"
#include "security/casbin/rule_index.h"

namespace cairn::security::casbin {

struct Decision {
  bool allowed = false;
  // The rule that decided: p is 0, p2 is 1, and the rule's number there; -1 when none did, and the
  // effect alone decided. Enforcer::Explain says it in words.
  int policy = 0;
  int rule = EffectMerge::kNoRule;
};

struct EnforcerOptions {
  std::string policy_file = "policy.csv";  // only for messages
  size_t cached_decisions = 8192;          // 0 for no cache; 128 bytes each
};

class Enforcer {
 public:
  // Loads a policy for a model. Errors: those of Policy::Load; a policy is taken or refused whole.
  static absl::StatusOr<std::shared_ptr<const Enforcer>> Create(std::shared_ptr<const Model> model,
                                                                std::string_view policy,
                                                                EnforcerOptions options = {});

  // Decides. Errors, all meaning "not allowed": INVALID_ARGUMENT when the request has not as many
  // values as the model's r, a text of it is longer than kMaxRequestTextBytes, the context names
  // what the model does not define, or the matcher has no value (a member that an object lacks, an
  // address that is none); RESOURCE_EXHAUSTED after kMaxSteps.
  absl::StatusOr<Decision> Enforce(std::span<const RequestValue> request,
                                   const Context& context = {}) const;
  absl::StatusOr<Decision> Enforce(std::initializer_list<RequestValue> request,
                                   const Context& context = {}) const {
    return Enforce(std::span(request.begin(), request.size()), context);
  }

  // Why: "allowed by policy.csv:3: p, root, *, produce", "denied: no rule allows it".
  std::string Explain(const Decision& decision) const;

  const Model& model() const { return *model_; }
  size_t rules() const;  // of all p together

 private:
  Enforcer(std::shared_ptr<const Model> model, std::unique_ptr<const Policy> policy,
           EnforcerOptions options);

  absl::Status Check(std::span<const RequestValue> request, const Context& context) const;
  absl::StatusOr<Decision> Decide(std::span<const RequestValue> request,
                                  const Context& context) const;
  absl::Status Describe(const absl::Status& status, const Context& context, size_t rule) const;

  std::shared_ptr<const Model> model_;
  std::unique_ptr<const Policy> policy_;
  std::string policy_file_;
  std::vector<RuleIndex> indexes_;  // one for each matcher
  mutable DecisionCache cache_;
};

}  // namespace cairn::security::casbin
