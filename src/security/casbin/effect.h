// How the rules that match a request become one decision: Casbin's five policy effects. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace cairn::security::casbin {

// What a rule says when it matches: its `eft` column, `allow` where it has none.
enum class RuleEffect : uint8_t {
  kAllow,
  kDeny,
  kIndeterminate,  // neither word: such a rule decides nothing
};

enum class PolicyEffect : uint8_t {
  kSomeAllow,                // some(where (p.eft == allow))
  kNoDeny,                   // !some(where (p.eft == deny))
  kSomeAllowAndNoDeny,       // some(where (p.eft == allow)) && !some(where (p.eft == deny))
  kFirstDecides,             // priority(p.eft) || deny
  kFirstBySubjectHierarchy,  // subjectPriority(p.eft) || deny
};

// Casbin knows these five texts and no others; nullopt for any other.
std::optional<PolicyEffect> ParsePolicyEffect(std::string_view text);

// The word in an `eft` column; an empty one is an allow, as one that is not there.
RuleEffect ParseRuleEffect(std::string_view word);

// Takes the rules that match, in their order, and holds what they amount to so far.
class EffectMerge {
 public:
  static constexpr int kNoRule = -1;

  explicit EffectMerge(PolicyEffect effect)
      : effect_(effect), allowed_(effect == PolicyEffect::kNoDeny) {}

  // Rule number `rule` matches and says `says`. True when no further rule can change the decision.
  bool Add(RuleEffect says, int rule) {
    if (says == RuleEffect::kIndeterminate) return false;
    const bool allow = says == RuleEffect::kAllow;
    switch (effect_) {
      case PolicyEffect::kSomeAllow:
        return allow && Decide(true, rule);
      case PolicyEffect::kNoDeny:
        return !allow && Decide(false, rule);
      case PolicyEffect::kSomeAllowAndNoDeny:
        if (!allow) return Decide(false, rule);
        if (!allowed_) Decide(true, rule);
        return false;
      case PolicyEffect::kFirstDecides:
      case PolicyEffect::kFirstBySubjectHierarchy:
        return Decide(allow, rule);
    }
    return false;
  }

  bool allowed() const { return allowed_; }
  // The rule that decided, or kNoRule when the effect's default did.
  int rule() const { return rule_; }

 private:
  bool Decide(bool allowed, int rule) {
    allowed_ = allowed;
    rule_ = rule;
    return true;
  }

  PolicyEffect effect_;
  bool allowed_;
  int rule_ = kNoRule;
};

}  // namespace cairn::security::casbin
