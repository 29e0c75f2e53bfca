// Nodes that find each other through gossip: joining, leaving, dying, keys, and strangers.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "process/await.h"
#include "process/server_process.h"

namespace cairn::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class GossipClusterTest : public ::testing::Test {
 protected:
  static std::string NameOf(size_t node) { return "n" + std::to_string(node + 1); }

  void StartNode(size_t node, std::vector<std::string> flags = {}) {
    while (nodes_.size() <= node) {
      nodes_.push_back(std::make_unique<ServerProcess>(scratch_ / NameOf(nodes_.size())));
    }
    flags.insert(flags.begin(), {"--node-name", NameOf(node)});
    nodes_[node]->Start({}, flags);
  }
  // The ancestor's way: the first one's --bind-addr is all that the others are told.
  void StartThree(const std::vector<std::string>& flags = {}) {
    for (size_t node = 0; node < 3; ++node) {
      std::vector<std::string> all = flags;
      if (node == 0) {
        all.push_back("--bootstrap");
      } else {
        all.insert(all.end(), {"--start-join-addrs", nodes_[0]->gossip_address()});
      }
      ASSERT_NO_FATAL_FAILURE(StartNode(node, all));
    }
    for (size_t node = 0; node < 3; ++node) {
      ASSERT_TRUE(AwaitStatuses(node, {{"n1", "alive"}, {"n2", "alive"}, {"n3", "alive"}}))
          << Run(node, {"cluster", "members"}).out << nodes_[node]->events();
    }
  }
  // Between one controller voter and three there is a moment with two, of which none may die.
  bool AwaitVoters(size_t wanted) {
    return Await([&] {
      const auto json = RunJson(0, {"cluster", "status"});
      if (!json.is_object()) return false;
      size_t voters = 0;
      for (const auto& member : json["controller_members"]) voters += member["role"] == "voter";
      return voters == wanted;
    });
  }
  void Terminate(size_t node) {
    nodes_[node]->Signal(SIGTERM);
    EXPECT_EQ(nodes_[node]->Wait(), 0) << nodes_[node]->events();
  }

  FinishedProcess Run(size_t node, std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--addr", nodes_[node]->address()});
    return RunCommand(Cairn(std::move(arguments)));
  }
  nlohmann::json RunJson(size_t node, std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--output", "json"});
    return nlohmann::json::parse(Run(node, std::move(arguments)).out, nullptr, false);
  }

  std::map<std::string, nlohmann::json> Members(size_t node) {
    std::map<std::string, nlohmann::json> members;
    const auto json = RunJson(node, {"cluster", "members"});
    if (!json.is_object()) return members;
    for (const auto& row : json["members"]) members[row["name"]] = row;
    return members;
  }
  // Waits until `node` sees exactly these members of its cluster, with these statuses.
  bool AwaitStatuses(size_t node, const std::map<std::string, std::string>& wanted) {
    return Await([&] {
      std::map<std::string, std::string> seen;
      for (const auto& [name, row] : Members(node)) {
        if (row["kind"] == "broker") seen[name] = row["status"];
      }
      return seen == wanted;
    });
  }
  size_t CountNodes(size_t node) {
    const auto json = RunJson(node, {"cluster", "status"});
    return json.is_object() ? json["nodes"].size() : 0;
  }
  // What `node` says that gossip says of `name`, in `cluster status`.
  std::string GossipOf(size_t node, const std::string& name) {
    const auto json = RunJson(node, {"cluster", "status"});
    if (!json.is_object()) return "";
    for (const auto& row : json["nodes"]) {
      if (row["name"] == name) return row["gossip"];
    }
    return "";
  }
  bool AwaitLogged(size_t node, const std::string& text) {
    return Await([&] { return nodes_[node]->log().find(text) != std::string::npos; });
  }

  const ScratchDir scratch_;
  std::vector<std::unique_ptr<ServerProcess>> nodes_;
};

TEST_F(GossipClusterTest, ThreeNodesFindEachOtherByTheFirstOnesBindAddress) {
  ASSERT_NO_FATAL_FAILURE(StartThree());
  const auto members = Members(2);
  EXPECT_EQ(members.at("n1")["tags"]["rpc_addr"], nodes_[0]->address());
  EXPECT_EQ(members.at("n1")["tags"]["id"], "1");
  EXPECT_EQ(members.at("n1")["tags"]["cluster"], members.at("n3")["tags"]["cluster"]);
  // What is written on one is on all, once the three vote.
  ASSERT_TRUE(Await([&] {
    const auto json = RunJson(0, {"cluster", "status", "--topic", "default"});
    return json.is_object() && json["partitions"].size() == 1 &&
           json["partitions"][0]["under_replicated"] == false &&
           json["partitions"][0]["replicas"].size() == 3;
  }));
  const auto sent =
      RunCommand(Cairn({"produce", "default", "--addr", nodes_[1]->address()}), "one\ntwo\n");
  EXPECT_EQ(sent.exit_code, 0) << sent.err;
  for (size_t node = 0; node < 3; ++node) {
    EXPECT_EQ(Run(node, {"consume", "default"}).out, "one\ntwo\n");
  }
}

TEST_F(GossipClusterTest, ANodeThatDiesIsShownAsFailedAndStaysInTheCluster) {
  ASSERT_NO_FATAL_FAILURE(StartThree());
  ASSERT_TRUE(AwaitVoters(3));
  nodes_[2]->Kill();
  EXPECT_TRUE(AwaitStatuses(0, {{"n1", "alive"}, {"n2", "alive"}, {"n3", "failed"}}));
  EXPECT_GT(nodes_[0]->Metric("cairn_gossip_probes_failed_total") +
                nodes_[1]->Metric("cairn_gossip_probes_failed_total"),
            0);
  EXPECT_EQ(CountNodes(0), 3u);
  EXPECT_EQ(GossipOf(1, "n1"), "alive");
  EXPECT_EQ(GossipOf(0, "n3"), "failed");
  EXPECT_THAT(Run(0, {"cluster", "status"}).out, HasSubstr("  gossip failed  version "));
  EXPECT_TRUE(Await([&] {
    return Run(0, {"cluster", "why"}).out.find("gossip says failed since") != std::string::npos;
  }));
  // Back on the same address, without being told where the others are.
  ASSERT_NO_FATAL_FAILURE(StartNode(2));
  for (size_t node = 0; node < 3; ++node) {
    EXPECT_TRUE(AwaitStatuses(node, {{"n1", "alive"}, {"n2", "alive"}, {"n3", "alive"}}));
  }
}

TEST_F(GossipClusterTest, AStoppedNodeHasLeftAndIsFoundAgainByItsSnapshot) {
  ASSERT_NO_FATAL_FAILURE(StartThree());
  ASSERT_TRUE(AwaitVoters(3));
  Terminate(1);
  EXPECT_TRUE(AwaitStatuses(0, {{"n1", "alive"}, {"n2", "left"}, {"n3", "alive"}}));
  EXPECT_EQ(CountNodes(0), 3u);
  EXPECT_THAT(ReadWholeFile(nodes_[1]->data_dir() + "/gossip-snapshot"),
              HasSubstr("member " + nodes_[0]->gossip_address()));
  ASSERT_NO_FATAL_FAILURE(StartNode(1));
  EXPECT_TRUE(AwaitStatuses(0, {{"n1", "alive"}, {"n2", "alive"}, {"n3", "alive"}}));
}

TEST_F(GossipClusterTest, ANodeThatLeavesOnStopIsEmptiedAndRemoved) {
  ASSERT_NO_FATAL_FAILURE(StartThree({"--leave-on-stop"}));
  ASSERT_TRUE(AwaitVoters(3));
  // Of one copy only: it is where it was put, and has to be moved before its node stops.
  EXPECT_EQ(Run(0, {"topic", "create", "single", "--partitions", "6", "--replication-factor", "1"})
                .exit_code,
            0);
  for (int partition = 0; partition < 6; ++partition) {
    const std::string text = std::to_string(partition);
    const auto sent = RunCommand(
        Cairn({"produce", "single", "--partition", text, "--addr", nodes_[0]->address()}),
        "kept " + text + "\n");
    EXPECT_EQ(sent.exit_code, 0) << sent.err;
  }
  Terminate(1);
  EXPECT_THAT(nodes_[1]->log(), HasSubstr("left the cluster"));
  EXPECT_TRUE(AwaitStatuses(0, {{"n1", "alive"}, {"n2", "left"}, {"n3", "alive"}}));
  EXPECT_EQ(CountNodes(0), 2u);
  for (int partition = 0; partition < 6; ++partition) {
    const std::string text = std::to_string(partition);
    EXPECT_EQ(Run(2, {"consume", "single", "--partition", text}).out, "kept " + text + "\n");
  }
  // Whoever is left alone has nobody to leave to, and stops as ever.
  Terminate(0);
  EXPECT_EQ(CountNodes(2), 1u);
  Terminate(2);
  EXPECT_THAT(nodes_[2]->log(), HasSubstr("there is no other node to take over"));
}

TEST_F(GossipClusterTest, NodesJoinedByRpcAddressGossipToo) {
  ASSERT_NO_FATAL_FAILURE(StartNode(0));
  ASSERT_NO_FATAL_FAILURE(StartNode(1, {"--start-join-addrs", nodes_[0]->address()}));
  EXPECT_TRUE(AwaitStatuses(0, {{"n1", "alive"}, {"n2", "alive"}})) << nodes_[1]->events();
  EXPECT_TRUE(AwaitStatuses(1, {{"n1", "alive"}, {"n2", "alive"}}));
}

TEST_F(GossipClusterTest, KeysKeepStrangersOutAndAreRotatedByCommands) {
  const auto keygen = RunCommand(Cairn({"cluster", "keygen"}));
  ASSERT_EQ(keygen.exit_code, 0);
  const std::string key = keygen.out.substr(0, keygen.out.find('\n'));
  const std::string other = RunCommand(Cairn({"cluster", "keygen"})).out.substr(0, key.size());
  ASSERT_NO_FATAL_FAILURE(StartThree({"--encrypt", key}));
  // A node without the key does not get in through gossip.
  ASSERT_NO_FATAL_FAILURE(StartNode(3, {"--start-join-addrs", nodes_[0]->gossip_address()}));
  ASSERT_TRUE(AwaitLogged(3, "not joined yet"));
  EXPECT_FALSE(Members(0).contains("n4"));
  nodes_[3]->Kill();

  EXPECT_EQ(Run(1, {"cluster", "keys", "install", other}).exit_code, 0);
  EXPECT_EQ(Run(1, {"cluster", "keys", "use", other}).exit_code, 0);
  EXPECT_EQ(Run(1, {"cluster", "keys", "remove", key}).exit_code, 0);
  const auto keys = RunJson(2, {"cluster", "keys", "list"});
  EXPECT_EQ(keys["keys"].size(), 1u);
  EXPECT_EQ(keys["keys"][other], 3);
  EXPECT_TRUE(Await([&] {
    const auto stored = nlohmann::json::parse(
        ReadWholeFile(nodes_[2]->data_dir() + "/gossip-keyring.json"), nullptr, false);
    return stored == nlohmann::json::array({other});
  }));
  for (size_t node = 0; node < 3; ++node) {
    EXPECT_THAT(nodes_[node]->log(), Not(HasSubstr(key)));
    EXPECT_THAT(nodes_[node]->log(), Not(HasSubstr(other)));
  }
  EXPECT_EQ(Run(0, {"cluster", "keys", "install"}).exit_code, 2);
  EXPECT_EQ(Run(0, {"cluster", "keys", "install", "short"}).exit_code, 2);
}

TEST_F(GossipClusterTest, ANodeOfAnotherClusterIsSeenAndNotUsed) {
  ASSERT_NO_FATAL_FAILURE(StartNode(0));
  ASSERT_NO_FATAL_FAILURE(
      StartNode(1, {"--bootstrap", "--start-join-addrs", nodes_[0]->gossip_address()}));
  EXPECT_TRUE(AwaitLogged(0, "member of another cluster"));
  EXPECT_TRUE(Await([&] {
    const auto members = Members(0);
    return members.contains("n2") && members.at("n2")["kind"] == "other cluster";
  }));
  EXPECT_EQ(CountNodes(0), 1u);
}

TEST_F(GossipClusterTest, AnEventIsSentAndOneThatIsTooLongIsRefused) {
  ASSERT_NO_FATAL_FAILURE(StartThree());
  EXPECT_EQ(Run(0, {"cluster", "event", "deployed", "release 7"}).exit_code, 0);
  EXPECT_TRUE(AwaitLogged(2, "\"name\":\"deployed\""));
  EXPECT_EQ(Run(0, {"cluster", "event", "e", std::string(1000, 'x')}).exit_code, 2);
}

}  // namespace
}  // namespace cairn::testing
