#include "security/casbin/effect.h"

#include <string>

#include "absl/strings/str_replace.h"
#include "base/strings.h"

namespace cairn::security::casbin {

std::optional<PolicyEffect> ParsePolicyEffect(std::string_view text) {
  // Casbin writes p_eft inside and takes either in a model.
  const std::string effect = absl::StrReplaceAll(base::AbslView(text), {{"p.eft", "p_eft"}});
  if (effect == "some(where (p_eft == allow))") return PolicyEffect::kSomeAllow;
  if (effect == "!some(where (p_eft == deny))") return PolicyEffect::kNoDeny;
  if (effect == "some(where (p_eft == allow)) && !some(where (p_eft == deny))") {
    return PolicyEffect::kSomeAllowAndNoDeny;
  }
  if (effect == "priority(p_eft) || deny") return PolicyEffect::kFirstDecides;
  if (effect == "subjectPriority(p_eft) || deny") return PolicyEffect::kFirstBySubjectHierarchy;
  return std::nullopt;
}

RuleEffect ParseRuleEffect(std::string_view word) {
  if (word.empty() || word == "allow") return RuleEffect::kAllow;
  return word == "deny" ? RuleEffect::kDeny : RuleEffect::kIndeterminate;
}

}  // namespace cairn::security::casbin
