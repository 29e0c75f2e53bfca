// The matching functions, by the tables of Casbin's documentation and the corners around them.
#include <gtest/gtest.h>

#include <tuple>
#include <vector>

#include "security/casbin/ip_address.h"
#include "security/casbin/limits.h"
#include "security/casbin/pattern.h"
#include "security/casbin/testing.h"

namespace cairn::security::casbin {
namespace {

void Expect(Function function, std::string_view text, std::string_view pattern, bool expected) {
  const auto compiled = Pattern::Compile(function, pattern);
  ASSERT_TRUE(compiled.ok()) << pattern << ": " << compiled.status();
  EXPECT_EQ((*compiled)->Matches(text), std::optional(expected))
      << TraitsOf(function).name << "(" << text << ", " << pattern << ")";
}

TEST(CasbinFunctionsTest, KeyMatchTakesAStarForAnyRest) {
  EXPECT_EQ(Holds("keyMatch('/a/b/c', '/a/*') && keyMatch('/a', '/a') && keyMatch('x', '*')"),
            "yes");
  EXPECT_EQ(Holds("keyMatch('/b', '/a/*') || keyMatch('/ab', '/a') || keyMatch('/a', '/a/*')"),
            "no");
  EXPECT_EQ(Holds("keyGet('/a/b/c', '/a/*') == 'b/c' && keyGet('/b', '/a/*') == ''"), "yes");
}

TEST(CasbinFunctionsTest, KeyMatch2And3TakeNamedSegments) {
  for (const auto& [text, pattern, expected] :
       std::vector<std::tuple<const char*, const char*, bool>>{{"/a/1", "/a/:id", true},
                                                               {"/a/", "/a/:id", false},
                                                               {"/a/1/2", "/a/:id", false},
                                                               {"/a/1/b", "/a/:id/b", true},
                                                               {"/a/1/2/3", "/a/:id/*", true},
                                                               {"/x/y", "/:a/:b", true},
                                                               {"anything", "*", true},
                                                               {"/v1x0/7", "/v1.0/:id", true},
                                                               {"/a/x-y", "/a/(x|z)-:id", true}}) {
    Expect(Function::kKeyMatch2, text, pattern, expected);
  }
  Expect(Function::kKeyMatch3, "/a/1-2", "/a/{x}-{y}", true);
  Expect(Function::kKeyMatch3, "/a/1", "/a/{x}", true);
  Expect(Function::kKeyMatch3, "/a/1/2", "/a/{x}", false);
}

TEST(CasbinFunctionsTest, KeyMatch4WantsTheSameForTheSameName) {
  Expect(Function::kKeyMatch4, "/p/1/c/1", "/p/{id}/c/{id}", true);
  Expect(Function::kKeyMatch4, "/p/1/c/2", "/p/{id}/c/{id}", false);
  Expect(Function::kKeyMatch4, "/p/1/c/2", "/p/{id}/c/{other}", true);
  Expect(Function::kKeyMatch4, "/p/1/c/1/2", "/p/{id}/c/{id}/{x}", true);
  EXPECT_FALSE(Pattern::Compile(Function::kKeyMatch4, "/(p)/{id}").ok());
}

TEST(CasbinFunctionsTest, KeyMatch5LeavesOutTheQuery) {
  Expect(Function::kKeyMatch5, "/a/b?x=1", "/a/b", true);
  Expect(Function::kKeyMatch5, "/a/b?x=/c", "/a/{id}", true);
  Expect(Function::kKeyMatch5, "/a/b/c?x=1", "/a/{id}", false);
}

TEST(CasbinFunctionsTest, KeyGet2And3GiveTheNamedPart) {
  EXPECT_EQ(Holds("keyGet2('/a/7/b', '/a/:id/b', 'id') == '7'"), "yes");
  EXPECT_EQ(Holds("keyGet2('/a/7/b', '/a/:id/b', 'no') == ''"), "yes");
  EXPECT_EQ(Holds("keyGet3('project/proj_p1_admin/', 'project/proj_{p}_admin/', 'p') == 'p1'"),
            "yes");
}

TEST(CasbinFunctionsTest, RegexMatchSearchesAnywhere) {
  Expect(Function::kRegexMatch, "topic/create", "/create", true);
  Expect(Function::kRegexMatch, "topic", "^op", false);
  Expect(Function::kRegexMatch, "GET", "(GET)|(POST)", true);
  EXPECT_FALSE(Pattern::Compile(Function::kRegexMatch, "(?=x)").ok());
  EXPECT_FALSE(Pattern::Compile(Function::kRegexMatch, "((a{1,900}){1,900})").ok());
}

TEST(CasbinFunctionsTest, GlobsStayWithinASegment) {
  for (const auto& [text, pattern, expected] :
       std::vector<std::tuple<const char*, const char*, bool>>{{"/a/b", "/a/*", true},
                                                               {"/a/b/c", "/a/*", false},
                                                               {"/a/b/c", "/a/**", true},
                                                               {"/x/y/c", "/**/c", true},
                                                               {"/c", "/**/c", true},
                                                               {"/a/b", "/a/[!b]", false},
                                                               {"/a/c", "/a/[a-c]", true},
                                                               {"/b/1", "/{a,b}/?", true},
                                                               {"/a*", "/a\\*", true},
                                                               {".hidden", "*", true},
                                                               {"a.b", "a?b", true}}) {
    Expect(Function::kGlobMatch, text, pattern, expected);
  }
  for (const char* bad : {"!a", "#a", "@(a|b)", "[a", "{a,b", "{a}", "a\\"}) {
    EXPECT_FALSE(Pattern::Compile(Function::kGlobMatch, bad).ok()) << bad;
  }
}

TEST(CasbinFunctionsTest, IpMatchKnowsAddressesAndRanges) {
  Expect(Function::kIpMatch, "192.168.2.123", "192.168.2.0/24", true);
  Expect(Function::kIpMatch, "192.168.3.1", "192.168.2.0/24", false);
  Expect(Function::kIpMatch, "10.1.1.1", "10.1.1.1", true);
  Expect(Function::kIpMatch, "::ffff:10.1.1.1", "10.0.0.0/8", true);
  Expect(Function::kIpMatch, "2001:db8::7", "2001:db8::/32", true);
  Expect(Function::kIpMatch, "10.0.0.1", "::/0", false);
  EXPECT_EQ((*Pattern::Compile(Function::kIpMatch, "::1"))->Matches("nonsense"), std::nullopt);
  for (const char* bad : {"", "10.0.0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "010.0.0.1"}) {
    EXPECT_FALSE(ParseIpRange(bad).has_value()) << bad;
  }
}

TEST(CasbinFunctionsTest, PatternsAreBounded) {
  EXPECT_FALSE(
      Pattern::Compile(Function::kRegexMatch, std::string(kMaxPatternBytes + 1, 'a')).ok());
  // Linear however it is nested: a backtracking engine takes longer than the universe has.
  Expect(Function::kRegexMatch, std::string(4000, 'a'), "^(a+)+$b", false);
}

}  // namespace
}  // namespace cairn::security::casbin
