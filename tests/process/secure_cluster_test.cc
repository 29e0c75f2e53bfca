// Three nodes that talk to each other and to clients over TLS alone, with a policy: killed,
// rotated, and visited by strangers while they run.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "process/await.h"
#include "process/server_process.h"
#include "process/test_certificates.h"

namespace cairn::testing {
namespace {

using ::testing::HasSubstr;

class SecureClusterTest : public ::testing::Test {
 protected:
  SecureClusterTest() {
    Write("model.conf",
          "[request_definition]\nr = sub, obj, act\n[policy_definition]\np = sub, obj, act\n"
          "[policy_effect]\ne = some(where (p.eft == allow))\n"
          "[matchers]\nm = r.sub == p.sub && keyMatch(r.obj, p.obj) && keyMatch(r.act, p.act)\n");
    Write("policy.csv", "p, admin, *, *\np, alice, default, produce\np, bob, default, consume\n");
    for (const char* name : {"admin", "alice", "bob"}) Issue(name, false);
  }

  std::string File(const std::string& name) const { return certificates_.File(name); }
  void Write(const std::string& name, const std::string& content) const {
    certificates_.Write(name, content);
  }
  void Issue(const std::string& name, bool node) const { certificates_.Issue(name, node); }
  static std::string NameOf(size_t node) { return "n" + std::to_string(node + 1); }

  std::vector<std::string> Flags(const std::string& name) const {
    std::vector<std::string> flags = certificates_.Flags("--peer-tls", name);
    const auto server = certificates_.Flags("--server-tls", name);
    flags.insert(flags.end(), server.begin(), server.end());
    flags.insert(flags.end(), {"--node-name", name, "--acl-model-file", File("model.conf"),
                               "--acl-policy-file", File("policy.csv"), "--acl-from-cluster"});
    return flags;
  }
  void StartNode(size_t node) {
    while (nodes_.size() <= node) {
      nodes_.push_back(std::make_unique<ServerProcess>(File("data-" + NameOf(nodes_.size()))));
      Issue(NameOf(nodes_.size() - 1), true);
    }
    std::vector<std::string> flags = Flags(NameOf(node));
    if (node == 0) {
      flags.push_back("--bootstrap");
    } else {
      flags.insert(flags.end(), {"--start-join-addrs", nodes_[0]->gossip_address()});
    }
    nodes_[node]->Start({}, flags);
  }
  void StartThree() {
    for (size_t node = 0; node < 3; ++node) ASSERT_NO_FATAL_FAILURE(StartNode(node));
    ASSERT_TRUE(Await([&] { return Voters() == 3 && InSync(); })) << nodes_[0]->events();
  }

  FinishedProcess Run(const std::string& subject, std::vector<std::string> arguments,
                      const std::string& input = "") const {
    std::string addresses;
    for (const auto& node : nodes_) {
      if (node->pid() == 0 || node->Ended()) continue;
      addresses += (addresses.empty() ? "" : ",") + node->address();
    }
    arguments.insert(arguments.end(), {"--addr", addresses});
    auto tls = certificates_.Flags("--tls", subject);
    if (subject.empty()) tls = {"--tls-ca-file", File("ca.pem")};
    arguments.insert(arguments.end(), tls.begin(), tls.end());
    return RunCommand(Cairn(std::move(arguments)), input);
  }
  nlohmann::json Status(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"cluster", "status", "--output", "json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return nlohmann::json::parse(Run("admin", arguments).out, nullptr, false);
  }
  size_t Voters() const {
    const auto json = Status();
    if (!json.is_object()) return 0;
    size_t voters = 0;
    for (const auto& member : json["controller_members"]) voters += member["role"] == "voter";
    return voters;
  }
  bool InSync() const {
    const auto json = Status({"--topic", "default"});
    return json.is_object() && json["partitions"].size() == 1 &&
           json["partitions"][0]["under_replicated"] == false &&
           json["partitions"][0]["replicas"].size() == 3;
  }
  size_t LeaderOfDefault() const {
    const auto json = Status({"--topic", "default"});
    const int leader = json["partitions"][0]["leader"];
    for (const auto& node : json["nodes"]) {
      if (node["id"] == leader) return std::stoul(node["name"].get<std::string>().substr(1)) - 1;
    }
    return 0;
  }
  void Send(const std::string& line) {
    const FinishedProcess sent = Run("alice", {"produce", "default"}, line + "\n");
    ASSERT_EQ(sent.exit_code, 0) << sent.err;
    sent_ += line + "\n";
  }

  const TestCertificates certificates_;
  std::vector<std::unique_ptr<ServerProcess>> nodes_;
  std::string sent_;
};

TEST_F(SecureClusterTest, ReplicatesSurvivesAKillAndRotatesItsCertificates) {
  ASSERT_NO_FATAL_FAILURE(StartThree());
  ASSERT_NO_FATAL_FAILURE(Send("one"));

  const size_t leader = LeaderOfDefault();
  nodes_[leader]->Kill();
  ASSERT_NO_FATAL_FAILURE(Send("two"));
  ASSERT_NO_FATAL_FAILURE(StartNode(leader));
  ASSERT_TRUE(Await([&] { return InSync(); }));

  // Each gets a new certificate; the next connections, here after a restart, use it.
  for (size_t node = 0; node < 3; ++node) {
    Issue(NameOf(node), true);
    nodes_[node]->Signal(SIGHUP);
    ASSERT_TRUE(Await([&] {
      return nodes_[node]->log().find("certificates reloaded") != std::string::npos;
    })) << nodes_[node]->events();
  }
  ASSERT_NO_FATAL_FAILURE(Send("three"));
  nodes_[1]->Signal(SIGTERM);
  EXPECT_EQ(nodes_[1]->Wait(), 0);
  ASSERT_NO_FATAL_FAILURE(StartNode(1));
  ASSERT_TRUE(Await([&] { return InSync(); }));
  EXPECT_EQ(Run("bob", {"consume", "default"}).out, sent_);
}

// The files' policy lets alice produce, and carol nothing; the cluster's the other way round.
TEST_F(SecureClusterTest, FollowsThePolicyThatTheClusterWasGiven) {
  Issue("carol", false);
  ASSERT_NO_FATAL_FAILURE(StartThree());
  ASSERT_NO_FATAL_FAILURE(Send("one"));
  EXPECT_THAT(Run("admin", {"acl", "get"}).out, HasSubstr("the cluster has no policy"));

  const auto set = [&](const std::string& policy, std::vector<std::string> more = {}) {
    Write("new.csv", policy);
    std::vector<std::string> arguments = {"acl",      "set",          "--model", File("model.conf"),
                                          "--policy", File("new.csv")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run("admin", arguments);
  };
  const FinishedProcess broken = set("p, admin, *, *\np, carol, default\n");
  EXPECT_NE(broken.exit_code, 0);
  EXPECT_THAT(broken.err, HasSubstr("policy:2: "));
  const FinishedProcess locks_out = set("p, carol, default, produce\n");
  EXPECT_NE(locks_out.exit_code, 0);
  EXPECT_THAT(locks_out.err, HasSubstr("\"admin\" could not set another one"));
  EXPECT_NE(Run("alice", {"acl", "set", "--model", File("model.conf"), "--policy", File("new.csv")})
                .exit_code,
            0);
  const FinishedProcess done =
      set("p, admin, *, *\np, carol, default, produce\np, bob, default, consume\n",
          {"--expected-version", "0"});
  ASSERT_EQ(done.exit_code, 0) << done.err;
  EXPECT_EQ(done.out, "version 1 of the policy is set\n");
  EXPECT_THAT(set("p, admin, *, *\n", {"--expected-version", "0"}).err, HasSubstr("version 1"));

  const auto follow = [&] {
    for (size_t node = 0; node < 3; ++node) {
      const auto produce = [&](const std::string& subject) {
        std::vector<std::string> arguments = {"produce", "default", "--addr",
                                              nodes_[node]->address()};
        const auto tls = certificates_.Flags("--tls", subject);
        arguments.insert(arguments.end(), tls.begin(), tls.end());
        return RunCommand(Cairn(std::move(arguments)), "two\n");
      };
      ASSERT_TRUE(Await([&] { return produce("carol").exit_code == 0; })) << nodes_[node]->events();
      EXPECT_THAT(produce("alice").err, HasSubstr("alice not permitted to"));
    }
  };
  ASSERT_NO_FATAL_FAILURE(follow());
  EXPECT_EQ(Run("admin", {"acl", "check", "carol", "default", "produce"}).exit_code, 0);
  EXPECT_EQ(Run("admin", {"acl", "check", "alice", "default", "produce"}).exit_code, 3);
  const auto got = nlohmann::json::parse(Run("admin", {"acl", "get", "--output", "json"}).out);
  EXPECT_EQ(got["version"], 1);
  EXPECT_EQ(got["in_use"], true);

  // A restart, alone and without a majority to ask, does not go back to the files.
  for (size_t node = 0; node < 3; ++node) nodes_[node]->Kill();
  ASSERT_NO_FATAL_FAILURE(StartNode(0));
  EXPECT_THAT(Run("alice", {"produce", "default", "--timeout", "3"}, "x\n").err,
              HasSubstr("alice not permitted to"));
  for (size_t node = 1; node < 3; ++node) ASSERT_NO_FATAL_FAILURE(StartNode(node));
  ASSERT_NO_FATAL_FAILURE(follow());
}

TEST_F(SecureClusterTest, StrangersGetNothing) {
  ASSERT_NO_FATAL_FAILURE(StartThree());
  ASSERT_NO_FATAL_FAILURE(Send("one"));
  const FinishedProcess nobody = Run("", {"produce", "default", "--timeout", "3"}, "x\n");
  EXPECT_NE(nobody.exit_code, 0);
  const FinishedProcess bob = Run("bob", {"produce", "default"}, "x\n");
  EXPECT_NE(bob.exit_code, 0);
  EXPECT_THAT(bob.err, HasSubstr("bob not permitted to produce to default"));
  const FinishedProcess alice = Run("alice", {"cluster", "drain", "n3"});
  EXPECT_NE(alice.exit_code, 0);

  // A node whose certificate is a client's, and one without any.
  for (const std::string certificate : {"alice", ""}) {
    ServerProcess stranger(File("data-stranger-" + certificate));
    std::vector<std::string> flags = {"--node-name", "stranger", "--start-join-addrs",
                                      nodes_[0]->address()};
    if (!certificate.empty()) {
      const auto peer = certificates_.Flags("--peer-tls", certificate);
      flags.insert(flags.end(), peer.begin(), peer.end());
    }
    const bool started = stranger.TryStart({}, flags);
    EXPECT_EQ(started, certificate.empty()) << "a client's certificate is refused at the start";
    if (started) {
      EXPECT_TRUE(Await([&] { return stranger.log().find("join") != std::string::npos; }));
    }
  }
  EXPECT_EQ(Status()["nodes"].size(), 3u);
  EXPECT_EQ(Run("bob", {"consume", "default"}).out, sent_);
}

}  // namespace
}  // namespace cairn::testing
