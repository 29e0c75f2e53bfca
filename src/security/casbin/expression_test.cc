// What expressions mean: precedence, JavaScript's comparisons, lists, members.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "security/casbin/testing.h"

namespace cairn::security::casbin {
namespace {

using ::testing::HasSubstr;

TEST(CasbinExpressionTest, BindsAsJavaScriptDoes) {
  EXPECT_EQ(Holds("1 + 2 * 3 == 7 && 10 - 2 - 3 == 5"), "yes");
  EXPECT_EQ(Holds("true || false && false"), "yes");
  EXPECT_EQ(Holds("(true || false) && false"), "no");
  EXPECT_EQ(Holds("!false == true && -2 * -3 == 6 && 7 % 4 == 3"), "yes");
  EXPECT_EQ(Holds("1 < 2 == true"), "yes");
}

TEST(CasbinExpressionTest, InBindsAsTightlyAsAComparison) {
  EXPECT_EQ(Holds("r.act in ('read', 'write') && r.sub == 'alice'"), "yes");
  EXPECT_EQ(Holds("r.act in ('write', 'other') || r.sub == 'bob'"), "no");
}

TEST(CasbinExpressionTest, ComparesAsJavaScriptDoes) {
  EXPECT_EQ(Holds("'1' == 1 && '0x10' == 16 && ' 2 ' == 2 && '' == 0 && true == '1'"), "yes");
  EXPECT_EQ(Holds("'10' < '9' && 10 > '9'"), "yes");
  EXPECT_EQ(Holds("'a' < 1 || 'a' >= 1 || null == 0"), "no");
  EXPECT_EQ(Holds("1 + '2' == '12' && 0.1 + 0.2 + '' == '0.30000000000000004'"), "yes");
  EXPECT_EQ(Holds("1e21 + '' == '1e+21' && 1e-7 + '' == '1e-7' && 100 + '' == '100'"), "yes");
}

TEST(CasbinExpressionTest, TextsCountAsTrueUnlessEmpty) {
  EXPECT_EQ(Holds("r.sub"), "yes");
  EXPECT_EQ(Holds("''"), "no");
  EXPECT_EQ(Holds("2"), "yes");
  EXPECT_EQ(Holds("0"), "no");
}

TEST(CasbinExpressionTest, WhatHasNoTruthIsAnError) {
  EXPECT_THAT(Holds("null"), HasSubstr("neither true nor false"));
  EXPECT_THAT(Holds("0 / 0"), HasSubstr("neither true nor false"));
  EXPECT_THAT(Holds("r.sub in ('alice')"), HasSubstr("'in' asks a list or an object"));
  EXPECT_THAT(Holds("r.sub.Name == 'alice'"), HasSubstr("no object"));
}

TEST(CasbinExpressionTest, RefusesWhatIsNoExpression) {
  for (const char* text : {"",
                           "r.sub ==",
                           "(true",
                           "true)",
                           "true true",
                           "r.sub = p.sub",
                           "a & b",
                           "'open",
                           "1.2.3",
                           "5apples",
                           "r.sub == p.sub,",
                           "r..sub",
                           "in (1, 2)",
                           "keyMatch(r.sub)",
                           "keyMatch(r.sub, p.sub, 1)",
                           "eval(r.sub)",
                           "eval('true')",
                           "regexMatch(r.sub, '(')",
                           "ipMatch(r.sub, 'nowhere')",
                           "r.sub in ()",
                           "r[0]",
                           "a ? b : c"}) {
    EXPECT_FALSE(TryLoad({.matcher = text}, "p, a, b, c").ok()) << text;
  }
}

TEST(CasbinExpressionTest, ReadsMembersOfARequestsObjects) {
  const auto enforcer =
      Load({.matcher = "r.sub.Age >= 18 && r.sub.Home.City == p.obj && r.act in (r.sub.May)"},
           "p, x, Ulm, read");
  const auto person = nlohmann::json::parse(
      R"({"Age": 18, "Home": {"City": "Ulm"}, "May": ["read", "write"], "Ages": [1]})");
  EXPECT_EQ(Ask(*enforcer, {&person, "x", "read"}), "yes");
  EXPECT_EQ(Ask(*enforcer, {&person, "x", "delete"}), "no");
  const auto child = nlohmann::json::parse(R"({"Age": 17})");
  EXPECT_EQ(Ask(*enforcer, {&child, "x", "read"}), "no");
}

TEST(CasbinExpressionTest, AMissingMemberNeverAllows) {
  const auto enforcer = Load({.matcher = "r.sub.Banned != 'yes'"}, "p, x, y, z");
  const auto person = nlohmann::json::parse(R"({"Name": "alice"})");
  EXPECT_THAT(Ask(*enforcer, {&person, "x", "read"}), HasSubstr("has no 'Banned'"));
}

TEST(CasbinExpressionTest, AnObjectIsNotComparedWithAText) {
  const auto enforcer = Load({}, "p, alice, data1, read");
  const auto person = nlohmann::json::parse(R"({"Name": "alice"})");
  EXPECT_THAT(Ask(*enforcer, {&person, "data1", "read"}), HasSubstr("an object stands where"));
}

TEST(CasbinExpressionTest, RunsTheRulesOfAPolicy) {
  const ModelParts model{.policy = "rule, obj, act",
                         .matcher = "eval(p.rule) && r.obj == p.obj && r.act == p.act"};
  const auto enforcer = Load(model,
                             "p, r.sub.Age > 18 && r.sub.Age < 60, data1, read\n"
                             "p, \"r.sub.Name == \"\"bob\"\"\", data1, write\n"
                             "p, r.sub.Name in ('bob', 'eve'), data2, read\n");
  const auto bob = nlohmann::json::parse(R"({"Name": "bob", "Age": 17})");
  const auto eve = nlohmann::json::parse(R"({"Name": "eve", "Age": 30})");
  EXPECT_EQ(Ask(*enforcer, {&bob, "data1", "read"}), "no");
  EXPECT_EQ(Ask(*enforcer, {&eve, "data1", "read"}), "yes");
  EXPECT_EQ(Ask(*enforcer, {&bob, "data1", "write"}), "yes");
  EXPECT_EQ(Ask(*enforcer, {&eve, "data2", "read"}), "yes");
  EXPECT_EQ(TryLoad(model, "p, true, a, b\np, r.sub.Age >, a, b").status().message(),
            "policy.csv:2: column 12: ends too early");
  EXPECT_EQ(TryLoad(model, "p, eval(p.rule), a, b").status().message(),
            "policy.csv:1: column 1: a rule has no eval() of its own");
}

}  // namespace
}  // namespace cairn::security::casbin
