// A matcher as anybody may write it, run for texts and for an object: a decision or an error.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "base/strings.h"
#include "security/casbin/enforcer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cairn::security::casbin;
  std::string matcher(reinterpret_cast<const char*>(data), size);
  for (char& c : matcher) {
    if (c == '\n' || c == '#' || c == ';') c = ' ';
  }
  const auto model = Model::Parse(cairn::base::StrCat(
      "[request_definition]\nr = sub, obj, act\n[policy_definition]\np = sub, obj, act\n"
      "[role_definition]\ng = _, _\n[policy_effect]\ne = some(where (p.eft == allow))\n"
      "[matchers]\nm = ",
      matcher, "\n"));
  if (!model.ok()) return 0;
  const auto enforcer = Enforcer::Create(
      *model, "p, alice, /a/:id, read\np, admin, 10.0.0.0/8, true\ng, bob, admin\n",
      {.cached_decisions = 0});
  if (!enforcer.ok()) return 0;
  static const auto person = nlohmann::json::parse(
      R"({"Name": "alice", "Age": 20, "Tags": ["a", 1, null], "In": {"City": "x"}})");
  (void)(*enforcer)->Enforce({"alice", "/a/1", "read"});
  (void)(*enforcer)->Enforce({"bob", "10.1.1.1", "true"});
  (void)(*enforcer)->Enforce({&person, &person, "1"});
  return 0;
}
