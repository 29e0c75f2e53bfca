#include "security/casbin/enforcer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "security/casbin/limits.h"
#include "security/casbin/testing.h"

namespace cairn::security::casbin {
namespace {

using ::testing::HasSubstr;

constexpr ModelParts kRoles = {.roles = "g = _, _",
                               .matcher = "g(r.sub, p.sub) && r.obj == p.obj && r.act == p.act"};

TEST(CasbinEnforcerTest, TheAncestorsModelAndPolicyWorkUnchanged) {
  const auto enforcer = Load({}, "p, root, *, produce\np, root, *, consume\n");
  EXPECT_EQ(Ask(*enforcer, {"root", "*", "produce"}), "yes");
  EXPECT_EQ(Ask(*enforcer, {"root", "*", "consume"}), "yes");
  EXPECT_EQ(Ask(*enforcer, {"nobody", "*", "produce"}), "no");
  EXPECT_EQ(Ask(*enforcer, {"root", "topic", "produce"}), "no");
}

TEST(CasbinEnforcerTest, SaysWhichRuleDecided) {
  const auto enforcer =
      Load({.policy = "sub, obj, act, eft",
            .effect = "some(where (p.eft == allow)) && !some(where (p.eft == deny))"},
           "# who\np, root, a, produce, allow\np, root, b, produce, deny\n");
  EXPECT_EQ(Why(*enforcer, {"root", "a", "produce"}),
            "allowed by policy.csv:2: p, root, a, produce, allow");
  EXPECT_EQ(Why(*enforcer, {"root", "b", "produce"}),
            "denied by policy.csv:3: p, root, b, produce, deny");
  EXPECT_EQ(Why(*enforcer, {"root", "c", "produce"}), "denied: no rule allows it");
}

TEST(CasbinEnforcerTest, ARequestOfAnotherSizeIsAnError) {
  const auto enforcer = Load({}, "p, root, *, produce");
  EXPECT_EQ(Ask(*enforcer, {"root", "*"}), "a request has 3 values, not 2");
  EXPECT_EQ(Ask(*enforcer, {"root", "*", "produce", ""}), "a request has 3 values, not 4");
  EXPECT_THAT(Ask(*enforcer, {std::string(kMaxRequestTextBytes + 1, 'x'), "*", "produce"}),
              HasSubstr("longer than"));
  EXPECT_THAT(Ask(*enforcer, {"root", "*", "produce"}, {.matcher = 2}), HasSubstr("context"));
}

TEST(CasbinEnforcerTest, FollowsRolesTenLinksFarAndNoFurther) {
  std::string policy = "p, r10, x, act\np, r11, y, act\ng, alice, r1\n";
  for (int i = 1; i < 12; ++i) policy += base::StrCat("g, r", i, ", r", i + 1, "\n");
  policy += "g, r3, r1\n";  // a circle
  const auto enforcer = Load(kRoles, policy);
  EXPECT_EQ(Ask(*enforcer, {"alice", "x", "act"}), "yes");
  EXPECT_EQ(Ask(*enforcer, {"alice", "y", "act"}), "no");
  EXPECT_EQ(Ask(*enforcer, {"r11", "y", "act"}), "yes");
  EXPECT_EQ(Ask(*enforcer, {"stranger", "x", "act"}), "no");
}

TEST(CasbinEnforcerTest, RolesHoldInTheirDomain) {
  const auto enforcer = Load(
      {.request = "sub, dom, obj, act",
       .policy = "sub, dom, obj, act",
       .roles = "g = _, _, _",
       .matcher = "g(r.sub, p.sub, r.dom) && r.dom == p.dom && r.obj == p.obj && r.act == p.act"},
      "p, admin, d1, data, read\np, admin, d2, data, read\ng, alice, admin, d1\n");
  EXPECT_EQ(Ask(*enforcer, {"alice", "d1", "data", "read"}), "yes");
  EXPECT_EQ(Ask(*enforcer, {"alice", "d2", "data", "read"}), "no");
}

TEST(CasbinEnforcerTest, PrioritiesAreSortedAndTheFirstDecides) {
  const auto enforcer = Load({.policy = "priority, sub, obj, act, eft",
                              .roles = kRoles.roles,
                              .effect = "priority(p.eft) || deny",
                              .matcher = kRoles.matcher},
                             "p, 10, staff, data, read, deny\np, 1, alice, data, read, allow\n"
                             "g, alice, staff\ng, bob, staff\n");
  EXPECT_EQ(Ask(*enforcer, {"alice", "data", "read"}), "yes");
  EXPECT_EQ(Ask(*enforcer, {"bob", "data", "read"}), "no");
  EXPECT_EQ(Ask(*enforcer, {"eve", "data", "read"}), "no");
}

TEST(CasbinEnforcerTest, TheDeeperSubjectDecides) {
  const ModelParts model{.policy = "sub, obj, act, eft",
                         .roles = kRoles.roles,
                         .effect = "subjectPriority(p.eft) || deny",
                         .matcher = kRoles.matcher};
  const auto enforcer = Load(model,
                             "p, root, data, read, deny\np, admin, data, read, deny\n"
                             "p, jane, data, read, allow\ng, admin, root\ng, jane, admin\n");
  EXPECT_EQ(Ask(*enforcer, {"jane", "data", "read"}), "yes");
  EXPECT_EQ(Ask(*enforcer, {"admin", "data", "read"}), "no");
  EXPECT_THAT(TryLoad(model, "g, a, b\ng, b, a").status().message(), HasSubstr("circle"));
}

TEST(CasbinEnforcerTest, WithoutDenyMeansAllowed) {
  const auto enforcer =
      Load({.policy = "sub, obj, act, eft", .effect = "!some(where (p.eft == deny))"},
           "p, eve, data, read, deny\np, bob, data, read, other\n");
  EXPECT_EQ(Ask(*enforcer, {"eve", "data", "read"}), "no");
  EXPECT_EQ(Ask(*enforcer, {"bob", "data", "read"}), "yes");
  EXPECT_EQ(Why(*enforcer, {"bob", "data", "read"}), "allowed: no rule denies it");
}

TEST(CasbinEnforcerTest, APolicyWithoutRulesIsAskedOnce) {
  EXPECT_EQ(Ask(*Load({}, ""), {"a", "b", "c"}), "no");
  EXPECT_EQ(Ask(*Load({}, ""), {"", "", ""}), "yes");  // as Casbin: every value of no rule is empty
  EXPECT_EQ(Ask(*Load({.matcher = "r.sub == 'root'"}, "p, x, y, z"), {"root", "b", "c"}), "yes");
}

TEST(CasbinEnforcerTest, AContextChoosesTheDefinitions) {
  const auto model = Model::Parse(
      "[request_definition]\nr = sub, obj\nr2 = obj\n[policy_definition]\np = sub, obj\np2 = obj\n"
      "[policy_effect]\ne = some(where (p.eft == allow))\ne2 = !some(where (p.eft == deny))\n"
      "[matchers]\nm = r.sub == p.sub && r.obj == p.obj\nm2 = r2.obj == p2.obj\n");
  ASSERT_TRUE(model.ok()) << model.status();
  const auto enforcer = *Enforcer::Create(*model, "p, alice, a\np2, b\n");
  const Context second{.request = 2, .policy = 2, .effect = 1, .matcher = 2};
  EXPECT_EQ(Ask(*enforcer, {"alice", "a"}), "yes");
  EXPECT_EQ(Ask(*enforcer, {"b"}, second), "yes");
  EXPECT_EQ(Ask(*enforcer, {"a"}, second), "no");
  EXPECT_EQ(Ask(*enforcer, {"a"}, {.request = 2, .policy = 2, .effect = 2, .matcher = 2}), "yes");
  EXPECT_THAT(Ask(*enforcer, {"b"}, {.request = 2}), HasSubstr("another request or policy"));
}

TEST(CasbinEnforcerTest, ErrorsOfAPolicyNameFileLineAndReason) {
  const auto error = [](const ModelParts& model, std::string_view policy) {
    return std::string(TryLoad(model, policy).status().message());
  };
  EXPECT_EQ(error({}, "p, a, b, c\np, a, b"), "policy.csv:2: 'p' has 3 values, not 2");
  EXPECT_EQ(error({}, "p, a, b, c, d"), "policy.csv:1: 'p' has 3 values, not 4");
  EXPECT_EQ(error({}, "\n# x\np3, a"), "policy.csv:3: the model defines no 'p3'");
  EXPECT_EQ(error({}, "p, \"a, b, c"), "policy.csv:1: a quote is not closed");
  EXPECT_EQ(error({}, "p, (a, b, c"), "policy.csv:1: parentheses are not closed");
  EXPECT_EQ(error(kRoles, "g, alice"), "policy.csv:1: 'g' has 2 values, not 1");
  EXPECT_THAT(error({.matcher = "regexMatch(r.sub, p.sub)"},
                    "p, a, b, c\np, a(), (((a){100}){100}){100}, c\np, [, b, c"),
              HasSubstr("policy.csv:3: regexMatch: "));
  EXPECT_EQ(error({.policy = "priority, sub"}, "x"),
            "model.conf:8: m: column 28: 'p' has no 'obj'");
}

TEST(CasbinEnforcerTest, ValuesAreTrimmedAndQuotesKeepCommas) {
  const auto enforcer = Load({}, "  p ,alice,\"a, b\" , read \r\n");
  EXPECT_EQ(Ask(*enforcer, {"alice", "a, b", "read"}), "yes");
}

TEST(CasbinEnforcerTest, AnIndexLeavesOutNoRuleThatCouldFail) {
  const auto enforcer =
      Load({.matcher = "ipMatch(r.obj, p.obj) && r.sub == p.sub"}, "p, alice, 10.0.0.0/8, x");
  EXPECT_EQ(Ask(*enforcer, {"alice", "10.1.1.1", "x"}), "yes");
  EXPECT_THAT(Ask(*enforcer, {"bob", "nowhere", "x"}), HasSubstr("'nowhere' is no address"));
}

TEST(CasbinEnforcerTest, AHostilePolicyEndsInAnErrorOrADecision) {
  // Every role has every role of the next layer: paths without number, few pairs.
  std::string dense;
  for (int layer = 0; layer < 9; ++layer) {
    for (int a = 0; a < 20; ++a) {
      for (int b = 0; b < 20; ++b) {
        dense += base::StrCat("g, n", layer, "x", a, ", n", layer + 1, "x", b, "\n");
      }
    }
  }
  EXPECT_EQ(Ask(*Load(kRoles, dense + "p, n9x7, d, read"), {"n0x3", "d", "read"}), "yes");

  std::string star;
  for (int i = 0; i < 20'000; ++i) star += base::StrCat("g, u", i, ", hub\ng, hub, r", i, "\n");
  EXPECT_EQ(TryLoad(kRoles, star).status().code(), absl::StatusCode::kResourceExhausted);

  std::string heavy;
  std::string matcher = "(r.obj == p.act";
  for (int i = 0; i < 100; ++i) matcher += " || r.obj == p.act";
  for (int i = 0; i < 25'000; ++i) heavy += base::StrCat("p, alice, ", i, ", x\n");
  const auto enforcer = Load({.matcher = matcher + ") && r.obj == 'never'"}, heavy);
  EXPECT_THAT(Ask(*enforcer, {"alice", "y", "x"}), HasSubstr("the decision takes too many steps"));
}

TEST(CasbinEnforcerTest, CachedDecisionsAreThoseMadeBefore) {
  const auto enforcer = Load({}, "p, ab, c, read\np, alice, data, read");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Ask(*enforcer, {"ab", "c", "read"}), "yes");
    EXPECT_EQ(Ask(*enforcer, {"a", "bc", "read"}), "no");  // the same letters, another request
    EXPECT_EQ(Why(*enforcer, {"alice", "data", "read"}),
              "allowed by policy.csv:2: p, alice, data, read");
  }
}

}  // namespace
}  // namespace cairn::security::casbin
