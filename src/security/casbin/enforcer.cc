#include "security/casbin/enforcer.h"

#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "security/casbin/evaluator.h"
#include "security/casbin/limits.h"

namespace cairn::security::casbin {

absl::StatusOr<std::shared_ptr<const Enforcer>> Enforcer::Create(std::shared_ptr<const Model> model,
                                                                 std::string_view policy,
                                                                 EnforcerOptions options) {
  CAIRN_ASSIGN_OR_RETURN(auto loaded, Policy::Load(*model, policy, options.policy_file));
  return std::shared_ptr<const Enforcer>(
      new Enforcer(std::move(model), std::move(loaded), std::move(options)));
}

Enforcer::Enforcer(std::shared_ptr<const Model> model, std::unique_ptr<const Policy> policy,
                   EnforcerOptions options)
    : model_(std::move(model)),
      policy_(std::move(policy)),
      policy_file_(std::move(options.policy_file)),
      cache_(options.cached_decisions) {
  for (const Program& matcher : model_->matchers()) indexes_.emplace_back(matcher, *policy_);
}

absl::StatusOr<Decision> Enforcer::Enforce(std::span<const RequestValue> request,
                                           const Context& context) const {
  CAIRN_RETURN_IF_ERROR(Check(request, context));
  if (!cache_.enabled()) return Decide(request, context);
  DecisionCache::Key key;
  DecisionCache::MakeKey(context, request, key);
  if (key.size == 0) return Decide(request, context);
  if (const auto found = cache_.Find(key)) {
    return Decision{.allowed = found->allowed, .policy = context.policy - 1, .rule = found->rule};
  }
  absl::StatusOr<Decision> decision = Decide(request, context);
  if (decision.ok()) cache_.Put(key, {.allowed = decision->allowed, .rule = decision->rule});
  return decision;
}

absl::Status Enforcer::Check(std::span<const RequestValue> request, const Context& context) const {
  const auto has = [](int number, size_t count) {
    return number >= 1 && static_cast<size_t>(number) <= count;
  };
  const Declarations& names = model_->names();
  if (!has(context.request, names.requests.size()) || !has(context.policy, names.policies.size()) ||
      !has(context.effect, model_->effects().size()) ||
      !has(context.matcher, model_->matchers().size())) {
    return absl::InvalidArgumentError("the context names what the model does not define");
  }
  const Program& matcher = model_->matchers()[static_cast<size_t>(context.matcher - 1)];
  if ((matcher.request != kAnyVariant && matcher.request != context.request - 1) ||
      (matcher.policy != kAnyVariant && matcher.policy != context.policy - 1)) {
    return absl::InvalidArgumentError("the matcher is about another request or policy");
  }
  const size_t expected = names.requests[static_cast<size_t>(context.request - 1)].names.size();
  if (request.size() != expected) {
    return absl::InvalidArgumentError(
        base::StrCat("a request has ", expected, " values, not ", request.size()));
  }
  for (const RequestValue& value : request) {
    if (value.object == nullptr && value.text.size() > kMaxRequestTextBytes) {
      return absl::InvalidArgumentError(
          base::StrCat("a value is longer than ", kMaxRequestTextBytes, " bytes"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Decision> Enforcer::Decide(std::span<const RequestValue> request,
                                          const Context& context) const {
  const auto number = static_cast<size_t>(context.matcher - 1);
  const Program& matcher = model_->matchers()[number];
  const RuleTable& table = policy_->tables()[static_cast<size_t>(context.policy - 1)];
  EffectMerge merge(model_->effects()[static_cast<size_t>(context.effect - 1)]);
  Evaluator evaluator(*policy_, table, request, context.request - 1);

  // One rule; true when no other needs to be asked.
  const auto ask = [&](size_t rule) -> absl::StatusOr<bool> {
    const absl::StatusOr<bool> matches = evaluator.Matches(matcher, rule);
    if (!matches.ok()) return Describe(matches.status(), context, rule);
    return *matches && merge.Add(table.effects[rule], static_cast<int>(rule));
  };

  if (table.size() == 0 || matcher.policy == kAnyVariant) {
    // Without rules, Casbin asks the matcher once and takes a match for an allow.
    const absl::StatusOr<bool> matches = evaluator.Matches(matcher, Evaluator::kNoRule);
    if (!matches.ok()) return Describe(matches.status(), context, Evaluator::kNoRule);
    if (*matches) merge.Add(RuleEffect::kAllow, EffectMerge::kNoRule);
  } else if (std::vector<uint32_t> candidates;
             indexes_[number].Candidates(evaluator, request, candidates)) {
    for (const uint32_t rule : candidates) {
      CAIRN_ASSIGN_OR_RETURN(const bool done, ask(rule));
      if (done) break;
    }
  } else {
    for (size_t rule = 0; rule < table.size(); ++rule) {
      CAIRN_ASSIGN_OR_RETURN(const bool done, ask(rule));
      if (done) break;
    }
  }
  return Decision{.allowed = merge.allowed(), .policy = context.policy - 1, .rule = merge.rule()};
}

absl::Status Enforcer::Describe(const absl::Status& status, const Context& context,
                                size_t rule) const {
  std::string where = context.matcher == 1 ? "m" : base::StrCat("m", context.matcher);
  if (rule != Evaluator::kNoRule) {
    const auto& table = policy_->tables()[static_cast<size_t>(context.policy - 1)];
    where += base::StrCat(" with ", policy_file_, ":", table.lines[rule]);
  }
  return absl::Status(status.code(), base::StrCat(where, ": ", base::StdView(status.message())));
}

std::string Enforcer::Explain(const Decision& decision) const {
  const std::string_view verdict = decision.allowed ? "allowed" : "denied";
  const auto table = static_cast<size_t>(decision.policy);
  if (decision.rule == EffectMerge::kNoRule) {
    return base::StrCat(verdict, decision.allowed ? ": no rule denies it" : ": no rule allows it");
  }
  const auto rule = static_cast<size_t>(decision.rule);
  return base::StrCat(verdict, " by ", policy_file_, ":", policy_->tables()[table].lines[rule],
                      ": ", policy_->RuleText(*model_, table, rule));
}

size_t Enforcer::rules() const {
  size_t sum = 0;
  for (const RuleTable& table : policy_->tables()) sum += table.size();
  return sum;
}

}  // namespace cairn::security::casbin
