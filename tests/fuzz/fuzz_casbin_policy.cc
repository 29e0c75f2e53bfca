// A policy as anybody may write it, for a model that uses all of it: taken, or refused with file
// and line; what is taken decides the same with the index of its rules and the cache, twice.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "security/casbin/enforcer.h"

namespace cairn::security::casbin {
namespace {

std::shared_ptr<const Model> TheModel() {
  static const auto model = Model::Parse(
      "[request_definition]\nr = sub, obj, act\n[policy_definition]\np = sub, obj, act, eft\n"
      "p2 = rule, obj\n[role_definition]\ng = _, _\ng2 = _, _, _\n"
      "[policy_effect]\ne = some(where (p.eft == allow)) && !some(where (p.eft == deny))\n"
      "[matchers]\nm = g(r.sub, p.sub) && keyMatch2(r.obj, p.obj) && regexMatch(r.act, p.act)\n"
      "m2 = eval(p2.rule) && globMatch(r.obj, p2.obj)\n");
  CAIRN_CHECK(model.ok(), "the fuzzer's model is one");
  return *model;
}

}  // namespace
}  // namespace cairn::security::casbin

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cairn::security::casbin;
  const auto enforcer = Enforcer::Create(TheModel(), {reinterpret_cast<const char*>(data), size},
                                         {.cached_decisions = 16});
  if (!enforcer.ok()) {
    CAIRN_CHECK(enforcer.status().message().find("policy.csv:") == 0 ||
                    enforcer.status().code() == absl::StatusCode::kResourceExhausted,
                "an error names the file");
    return 0;
  }
  for (const char* subject : {"alice", "bob", ""}) {
    const auto first = (*enforcer)->Enforce({subject, "/a/b", "read"});
    const auto second = (*enforcer)->Enforce({subject, "/a/b", "read"});
    CAIRN_CHECK(first.ok() == second.ok() && (!first.ok() || first->allowed == second->allowed),
                "the cache gives what was decided");
    if (first.ok()) (void)(*enforcer)->Explain(*first);
    (void)(*enforcer)->Enforce({subject, "/a/b", "read"}, {.policy = 2, .matcher = 2});
  }
  return 0;
}
