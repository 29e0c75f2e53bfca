// `cairn acl check` from outside: its answers, and how it tells a denial from a failure.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "process/child_process.h"

namespace cairn::testing {
namespace {

using ::testing::HasSubstr;

class AclTest : public ::testing::Test {
 protected:
  void SetUp() override {
    WriteWholeFile(model_,
                   "[request_definition]\nr = sub, obj, act\n"
                   "[policy_definition]\np = sub, obj, act, eft\n"
                   "[role_definition]\ng = _, _\n"
                   "[policy_effect]\n"
                   "e = some(where (p.eft == allow)) && !some(where (p.eft == deny))\n"
                   "[matchers]\n"
                   "m = g(r.sub, p.sub) && keyMatch(r.obj, p.obj) && r.act == p.act\n");
    WriteWholeFile(policy_,
                   "# who may what\n"
                   "p, writers, orders/*, produce, allow\n"
                   "p, mallory, *, produce, deny\n"
                   "g, alice, writers\n"
                   "g, mallory, writers\n");
  }

  FinishedProcess Check(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"acl", "check"});
    arguments.insert(arguments.end(), {"--model", model_, "--policy", policy_});
    return RunCommand(Cairn(std::move(arguments)));
  }

  const ScratchDir scratch_;
  const std::string model_ = scratch_ / "model.conf";
  const std::string policy_ = scratch_ / "policy.csv";
};

TEST_F(AclTest, SaysWhichRuleDecides) {
  const auto allowed = Check({"alice", "orders/1", "produce"});
  EXPECT_EQ(allowed.exit_code, 0);
  EXPECT_EQ(allowed.out, "allowed by " + policy_ + ":2: p, writers, orders/*, produce, allow\n");
  const auto denied = Check({"mallory", "orders/1", "produce"});
  EXPECT_EQ(denied.exit_code, 3);
  EXPECT_EQ(denied.out, "denied by " + policy_ + ":3: p, mallory, *, produce, deny\n");
  const auto unknown = Check({"bob", "orders/1", "produce"});
  EXPECT_EQ(unknown.exit_code, 3);
  EXPECT_EQ(unknown.out, "denied: no rule allows it\n");
  EXPECT_EQ(unknown.err, "");
}

TEST_F(AclTest, AnswersAsAServerDoes) {
  // Who may produce to a topic may also see what it is like.
  const auto describe = Check({"alice", "orders/1", "describe"});
  EXPECT_EQ(describe.exit_code, 0);
  EXPECT_THAT(describe.out, HasSubstr("allowed by " + policy_ + ":2: "));
}

TEST_F(AclTest, OneFileOfTwoIsUsage) {
  const auto done =
      RunCommand(Cairn({"acl", "check", "alice", "orders/1", "produce", "--policy", policy_}));
  EXPECT_EQ(done.exit_code, 2);
  EXPECT_THAT(done.err, HasSubstr("--model"));
}

TEST_F(AclTest, TellsProgramsToo) {
  const auto denied = Check({"bob", "orders/1", "produce", "--output", "json"});
  EXPECT_EQ(denied.exit_code, 3);
  EXPECT_EQ(denied.out, "{\"allowed\":false,\"why\":\"denied: no rule allows it\"}\n");
}

TEST_F(AclTest, AnUnknownActionIsUsageAndListsTheKnown) {
  const auto done = Check({"alice", "orders/1", "write"});
  EXPECT_EQ(done.exit_code, 2);
  for (const char* action :
       {"write", "produce", "consume", "create", "delete", "alter", "describe", "cluster"}) {
    EXPECT_THAT(done.err, HasSubstr(action));
  }
}

TEST_F(AclTest, AFileThatIsWrongIsNoDenial) {
  WriteWholeFile(policy_, "p, alice, orders, produce, allow\np, alice\n");
  const auto row = Check({"alice", "orders", "produce"});
  EXPECT_EQ(row.exit_code, 2);
  EXPECT_EQ(row.out, "");
  EXPECT_THAT(row.err, HasSubstr(policy_ + ":2: "));

  WriteWholeFile(model_, "[request_definition]\nr = sub\nnonsense\n");
  const auto model = Check({"alice", "orders", "produce"});
  EXPECT_EQ(model.exit_code, 2);
  EXPECT_THAT(model.err, HasSubstr(model_ + ":3: "));

  const auto absent = RunCommand(Cairn({"acl", "check", "alice", "orders", "produce", "--model",
                                        scratch_ / "absent.conf", "--policy", policy_}));
  EXPECT_EQ(absent.exit_code, 1);
  EXPECT_THAT(absent.err, HasSubstr("absent.conf"));
}

TEST_F(AclTest, AModelThatAsksForMoreSaysSo) {
  WriteWholeFile(model_,
                 "[request_definition]\nr = sub, obj, act, addr\n"
                 "[policy_definition]\np = sub, obj, act\n"
                 "[policy_effect]\ne = some(where (p.eft == allow))\n"
                 "[matchers]\nm = r.sub == p.sub\n");
  WriteWholeFile(policy_, "p, alice, orders, produce\n");
  const auto done = Check({"alice", "orders", "produce"});
  EXPECT_EQ(done.exit_code, 2);
  EXPECT_THAT(done.err,
              HasSubstr(model_ + ": a request has 4 values in it, but cairn asks with three"));
}

}  // namespace
}  // namespace cairn::testing
