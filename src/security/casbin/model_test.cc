#include "security/casbin/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "security/casbin/limits.h"
#include "security/casbin/testing.h"

namespace cairn::security::casbin {
namespace {

using ::testing::HasSubstr;

std::string ErrorOf(std::string_view text) {
  const auto model = Model::Parse(text, "m.conf");
  return model.ok() ? "none" : std::string(model.status().message());
}

constexpr std::string_view kHead =
    "[request_definition]\nr = sub\n[policy_definition]\np = sub\n"
    "[policy_effect]\ne = some(where (p.eft == allow))\n[matchers]\n";

TEST(CasbinModelTest, ReadsCommentsBlankLinesAndContinuedLines) {
  const auto model = Model::Parse(
      "# a model\n\n[request_definition]\n  r = sub , obj ; two\n[policy_definition]\np = sub, "
      "obj\n"
      "[matchers]\nm = r.sub == p.sub && \\  # goes on\n  r.obj == \\\n p.obj\n"
      "[policy_effect]\ne = some(where (p.eft == allow))");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->names().requests[0].names, (std::vector<std::string>{"sub", "obj"}));
  EXPECT_EQ((*model)->matchers().size(), 1u);
}

TEST(CasbinModelTest, ErrorsNameFileLineAndReason) {
  EXPECT_EQ(ErrorOf(base::StrCat(kHead, "m = r.sub == p.who")),
            "m.conf:8: m: column 10: 'p' has no 'who'");
  EXPECT_EQ(ErrorOf(base::StrCat(kHead, "m = nosuch(r.sub)")),
            "m.conf:8: m: column 1: unknown function 'nosuch'");
  EXPECT_EQ(ErrorOf(base::StrCat(kHead, "m = sub == p.sub")),
            "m.conf:8: m: column 1: unknown name 'sub'");
  EXPECT_EQ(ErrorOf(base::StrCat(kHead, "m = g(r.sub, p.sub)")),
            "m.conf:8: m: column 1: unknown function 'g'");
  EXPECT_EQ(ErrorOf(base::StrCat(kHead, "m r.sub")), "m.conf:8: no 'key = value': m r.sub");
  EXPECT_EQ(ErrorOf(base::StrCat(kHead, "m = true\nm = false")),
            "m.conf:9: 'm' is already defined in line 8");
  EXPECT_EQ(ErrorOf(base::StrCat(kHead, "m = true\nm3 = false")),
            "m.conf:9: [matchers] leaves out a number");
  EXPECT_EQ(ErrorOf("r = sub"), "m.conf:1: stands before any [section]");
  EXPECT_EQ(ErrorOf("[matchers]\nm = true"), "m.conf:1: section [request_definition] is missing");
  EXPECT_EQ(ErrorOf("[macthers]\nm = true"), "m.conf:2: unknown section [macthers]");
}

TEST(CasbinModelTest, AnUnknownEffectIsAnErrorWhenLoading) {
  const auto model = Model::Parse(ModelText({.effect = "some(where (p.eft == maybe))"}), "m.conf");
  EXPECT_THAT(std::string(model.status().message()), HasSubstr("none of Casbin's five effects"));
}

TEST(CasbinModelTest, RefusesWhatIsTooLargeOrTooDeep) {
  EXPECT_THAT(ErrorOf(std::string(kMaxModelBytes + 1, 'x')), HasSubstr("longer than"));
  const std::string deep = std::string(200, '(') + "true" + std::string(200, ')');
  EXPECT_THAT(ErrorOf(base::StrCat(kHead, "m = ", deep)), HasSubstr("nested too deeply"));
  EXPECT_THAT(ErrorOf(base::StrCat(kHead, "m = ", std::string(200, '!'), "true")),
              HasSubstr("nested too deeply"));
  std::string wide = "true";
  for (int i = 0; i < 2000; ++i) wide += "||true";
  EXPECT_THAT(ErrorOf(base::StrCat(kHead, "m = ", wide)), HasSubstr("parts"));
}

}  // namespace
}  // namespace cairn::security::casbin
