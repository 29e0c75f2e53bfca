#include "security/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/error_info.h"

namespace cairn::security {
namespace {

using testing::HasSubstr;

// The ancestor's own files.
constexpr char kAncestorModel[] = R"([request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.sub == p.sub && r.obj == p.obj && r.act == p.act
)";
constexpr char kAncestorPolicy[] = "p, root, *, produce\np, root, *, consume\n";

// What its successor would write.
constexpr char kModel[] = R"([request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act, eft
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = g(r.sub, p.sub) && keyMatch(r.obj, p.obj) && (r.act == p.act || p.act == "*")
)";

constexpr Object kDefault = {.topic = "default", .unnamed = true};

Caller Named(std::string subject) { return {.subject = std::move(subject), .address = "host:1"}; }
Object Topic(std::string_view name) { return {.topic = name}; }

class AccessTest : public testing::Test {
 protected:
  void Load(std::string_view model, std::string_view policy) {
    const absl::Status loaded = access_.Load(model, "model.conf", policy, "policy.csv");
    ASSERT_TRUE(loaded.ok()) << loaded;
  }
  bool May(const std::string& subject, Action action, const Object& object) {
    const Caller caller = Named(subject);
    const bool allowed = access_.Check(caller, action, object).ok();
    EXPECT_EQ(access_.May(caller, action, object), allowed);
    return allowed;
  }

  std::vector<std::string> heard_;
  bool wants_all_ = true;
  Access access_{{.wants = [this](bool allowed) { return wants_all_ || !allowed; },
                  .record =
                      [this](const AccessDecision& decision) {
                        heard_.push_back(decision.caller.subject + " " + decision.caller.address +
                                         " " + std::string(ToString(decision.action)) + " " +
                                         std::string(decision.object) + ": " + decision.rule);
                      }}};
};

TEST_F(AccessTest, WithoutAPolicyEveryoneMay) {
  EXPECT_FALSE(access_.enforced());
  EXPECT_TRUE(May("", Action::kCluster, {}));
  EXPECT_TRUE(heard_.empty());
}

TEST_F(AccessTest, TheAncestorsFilesAllowWhatItsClientsAsk) {
  Load(kAncestorModel, kAncestorPolicy);
  EXPECT_TRUE(May("root", Action::kProduce, kDefault));
  EXPECT_TRUE(May("root", Action::kConsume, kDefault));
  EXPECT_FALSE(May("nobody", Action::kProduce, kDefault));
  EXPECT_FALSE(May("root", Action::kDelete, kDefault));
}

TEST_F(AccessTest, SaysWhoMayNotDoWhat) {
  Load(kAncestorModel, kAncestorPolicy);
  const absl::Status denied = access_.Check(Named("alice"), Action::kProduce, Topic("orders"));
  EXPECT_EQ(denied.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(denied.message(), "alice not permitted to produce to orders");
  EXPECT_EQ(base::GetErrorInfo(denied)->reason, base::reason::kNotPermitted);
}

TEST_F(AccessTest, NobodyMayNothingAndIsNotAskedFor) {
  Load(kModel, "p, , *, *, allow\n");  // a rule for the empty subject
  const absl::Status denied = access_.Check(Named(""), Action::kProduce, Topic("orders"));
  EXPECT_EQ(denied.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_FALSE(access_.May(Named(""), Action::kProduce, Topic("orders")));
}

TEST_F(AccessTest, ADenialOfTheDefaultTopicIsNotPassedByNamingNone) {
  Load(kModel, "p, alice, *, *, allow\np, alice, default, produce, deny\n");
  EXPECT_TRUE(May("alice", Action::kProduce, Topic("orders")));
  EXPECT_FALSE(May("alice", Action::kProduce, Topic("default")));
  EXPECT_FALSE(May("alice", Action::kProduce, kDefault));
}

TEST_F(AccessTest, WhoMayUseATopicMayDescribeItUnlessForbidden) {
  Load(kModel,
       "p, alice, orders, consume, allow\np, bob, orders, describe, deny\n"
       "p, bob, orders, consume, allow\n");
  EXPECT_TRUE(May("alice", Action::kDescribe, Topic("orders")));
  EXPECT_FALSE(May("alice", Action::kDescribe, Topic("other")));
  EXPECT_FALSE(May("bob", Action::kDescribe, Topic("orders")));
  EXPECT_FALSE(May("alice", Action::kCreate, Topic("orders")));
}

TEST_F(AccessTest, ABrokenPolicyLeavesTheLastGoodOne) {
  Load(kAncestorModel, kAncestorPolicy);
  const uint64_t version = access_.version();
  const absl::Status broken = access_.Load(kAncestorModel, "model.conf",
                                           "p, root, *, produce\nx, who, knows\n", "policy.csv");
  EXPECT_EQ(broken.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(broken.message()), HasSubstr("policy.csv:2"));
  EXPECT_FALSE(access_.Load("[matchers]", "model.conf", kAncestorPolicy, "policy.csv").ok());
  EXPECT_EQ(access_.version(), version);
  EXPECT_TRUE(May("root", Action::kConsume, kDefault));
  EXPECT_FALSE(May("alice", Action::kConsume, kDefault));
}

TEST_F(AccessTest, AModelOfOtherRequestsIsRefused) {
  const absl::Status refused = access_.Load(
      "[request_definition]\nr = sub, dom, obj, act\n[policy_definition]\np = sub, dom, obj, act\n"
      "[policy_effect]\ne = some(where (p.eft == allow))\n[matchers]\nm = r.sub == p.sub\n",
      "model.conf", "", "policy.csv");
  EXPECT_EQ(refused.message(),
            "model.conf: a request has 4 values in it, but cairn asks with three: subject, object, "
            "action");
  EXPECT_FALSE(access_.enforced());
}

TEST_F(AccessTest, AMatcherWithoutAValueAllowsNothing) {
  Load(R"([request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[policy_effect]
e = !some(where (p.eft == deny))
[matchers]
m = ipMatch(r.sub, p.sub)
)",
       "p, 10.0.0.0/8, x, y\n");
  EXPECT_FALSE(May("alice", Action::kProduce, Topic("orders")));
  EXPECT_THAT(heard_.back(), HasSubstr("denied: "));
}

TEST_F(AccessTest, TellsTheAuditorWhatItAsksFor) {
  Load(kModel, "p, writers, orders, produce, allow\ng, alice, writers\n");
  EXPECT_TRUE(access_.Check(Named("alice"), Action::kProduce, Topic("orders")).ok());
  EXPECT_FALSE(access_.Check(Named("bob"), Action::kProduce, Topic("orders")).ok());
  EXPECT_FALSE(access_.Check(Named(""), Action::kProduce, Topic("orders")).ok());
  ASSERT_EQ(heard_.size(), 3u);
  EXPECT_EQ(heard_[0],
            "alice host:1 produce orders: allowed by policy.csv:1: p, writers, orders, produce, "
            "allow");
  EXPECT_EQ(heard_[1], "bob host:1 produce orders: denied: no rule allows it");
  EXPECT_EQ(heard_[2],
            " host:1 produce orders: denied: no certificate with a common name was shown");
  wants_all_ = false;
  EXPECT_TRUE(access_.Check(Named("alice"), Action::kProduce, Topic("orders")).ok());
  EXPECT_EQ(heard_.size(), 3u);
}

// Every truncation, and bytes changed: a policy is taken whole or not at all, and never lets in
// whom no rule names.
TEST_F(AccessTest, BrokenPoliciesNeverLetAnybodyIn) {
  const std::string policy = "p, alice, *, produce, allow\np, bob, orders, consume, deny\n";
  Load(kModel, policy);
  wants_all_ = false;
  int refused = 0;
  int tried = 0;
  const auto attempt = [&](const std::string& broken) {
    ++tried;
    if (!access_.Load(kModel, "model.conf", broken, "policy.csv").ok()) ++refused;
    EXPECT_TRUE(access_.enforced());
    for (const Action action : {Action::kProduce, Action::kCluster}) {
      EXPECT_FALSE(access_.May(Named("mallory"), action, kDefault)) << broken;
    }
  };
  for (size_t size = 0; size <= policy.size(); ++size) attempt(policy.substr(0, size));
  for (size_t at = 0; at < policy.size(); ++at) {
    for (const char byte : {'\0', ',', '\n', '"', '*',  'p',  '\xff', '(', '.', '#', '\\', ' ',
                            'g',  '=', '|',  '!', '\'', '\t', '1',    '/', ';', '%', 'z'}) {
      std::string changed = policy;
      changed[at] = byte;
      attempt(changed);
      changed = policy;
      changed.insert(at, 1, byte);
      attempt(changed);
    }
  }
  EXPECT_GE(tried, 2000);
  EXPECT_GT(refused, 100);
}

TEST_F(AccessTest, ManyThreadsAskWhilePoliciesChange) {
  wants_all_ = false;
  Load(kModel, "p, alice, always, consume, allow\n");
  std::atomic<bool> stop = false;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; !stop.load(); ++i) {
        const std::string other = "data" + std::to_string((i + t) % 50);
        if (!access_.May(Named("alice"), Action::kConsume, Topic("always"))) ++wrong;
        if (access_.May(Named("bob"), Action::kConsume, Topic(other))) ++wrong;
      }
    });
  }
  for (int i = 0; i < 50; ++i) {
    Load(kModel, "p, alice, data" + std::to_string(i) +
                     ", consume, allow\np, alice, always, consume, allow\n");
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0);
}

TEST(ActionTest, EachHasAName) {
  for (const std::string_view name : ActionNames()) EXPECT_EQ(ToString(*ParseAction(name)), name);
  EXPECT_EQ(ParseAction("write"), std::nullopt);
}

}  // namespace
}  // namespace cairn::security
