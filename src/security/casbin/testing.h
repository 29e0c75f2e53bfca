// Short ways to models, policies and decisions, for the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/strings.h"
#include "security/casbin/enforcer.h"

namespace cairn::security::casbin {

inline constexpr std::string_view kSomeAllow = "some(where (p.eft == allow))";

struct ModelParts {
  std::string_view request = "sub, obj, act";
  std::string_view policy = "sub, obj, act";
  std::string_view roles = "";  // further lines of [role_definition]
  std::string_view effect = kSomeAllow;
  std::string_view matcher = "r.sub == p.sub && r.obj == p.obj && r.act == p.act";
};

inline std::string ModelText(const ModelParts& parts) {
  std::string text = base::StrCat("[request_definition]\nr = ", parts.request,
                                  "\n[policy_definition]\np = ", parts.policy, "\n");
  if (!parts.roles.empty()) text += base::StrCat("[role_definition]\n", parts.roles, "\n");
  return text + base::StrCat("[policy_effect]\ne = ", parts.effect,
                             "\n[matchers]\nm = ", parts.matcher, "\n");
}

inline absl::StatusOr<std::shared_ptr<const Enforcer>> TryLoad(const ModelParts& parts,
                                                               std::string_view policy) {
  auto model = Model::Parse(ModelText(parts));
  if (!model.ok()) return model.status();
  return Enforcer::Create(*std::move(model), policy);
}

inline std::shared_ptr<const Enforcer> Load(const ModelParts& parts, std::string_view policy) {
  auto enforcer = TryLoad(parts, policy);
  EXPECT_TRUE(enforcer.ok()) << enforcer.status();
  return enforcer.ok() ? *enforcer : nullptr;
}

// "yes", "no" or the error.
inline std::string Ask(const Enforcer& enforcer, std::initializer_list<RequestValue> request,
                       const Context& context = {}) {
  const auto decision = enforcer.Enforce(request, context);
  if (!decision.ok()) return std::string(decision.status().message());
  return decision->allowed ? "yes" : "no";
}

inline std::string Why(const Enforcer& enforcer, std::initializer_list<RequestValue> request) {
  const auto decision = enforcer.Enforce(request);
  return decision.ok() ? enforcer.Explain(*decision) : std::string(decision.status().message());
}

// Whether `expression` holds for the request ("alice", "/a/1", "read") and the rule ("alice",
// "/a/*", "read").
inline std::string Holds(std::string_view expression) {
  const auto enforcer = TryLoad({.matcher = expression}, "p, alice, /a/*, read");
  if (!enforcer.ok()) return std::string(enforcer.status().message());
  return Ask(**enforcer, {"alice", "/a/1", "read"});
}

}  // namespace cairn::security::casbin
