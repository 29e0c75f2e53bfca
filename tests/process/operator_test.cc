// What an operator looks at a cluster with: `cairn top`, `cairn debug bundle`, `cairn cluster
// status`; with one node, with three, and when one of them hangs or is gone.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "cairn/consumer.h"
#include "cairn/producer.h"
#include "process/await.h"
#include "process/cluster_process.h"
#include "process/server_process.h"

namespace cairn::testing {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr char kKey[] = "pUqJrVyVRj5jsiYEkM/tFQYfWyJIv4s3XkvDwy7Cu5s=";

FinishedProcess RunAt(const std::string& address, std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"--addr", address});
  return RunCommand(Cairn(std::move(arguments)));
}

class OperatorTest : public ::testing::Test {
 protected:
  void SetUp() override { server_.Start({}, {"--encrypt", kKey}); }

  FinishedProcess Run(std::vector<std::string> arguments) const {
    return RunAt(server_.address(), std::move(arguments));
  }
  std::string Succeed(std::vector<std::string> arguments) const {
    const auto done = Run(std::move(arguments));
    EXPECT_EQ(done.exit_code, 0) << done.err;
    return done.out;
  }
  // The controller hears of leaders a moment after a topic is there.
  void AwaitCalm() const {
    EXPECT_TRUE(Await([&] { return Succeed({"cluster", "why"}) == "all is as it should be\n"; }));
  }
  std::string Extract(const std::string& file, const std::string& name) const {
    const auto done = RunCommand({"tar", "-xOzf", file, "cairn-debug/" + name});
    EXPECT_EQ(done.exit_code, 0) << done.err;
    return done.out;
  }

  const ScratchDir scratch_;
  ServerProcess server_{scratch_ / "data"};
};

TEST_F(OperatorTest, TopPrintsOneViewWhereThereIsNoTerminal) {
  Succeed({"topic", "create", "orders", "--partitions", "2"});
  AwaitCalm();
  for (const std::vector<std::string>& how :
       {std::vector<std::string>{"top", "--interval", "100ms"},
        std::vector<std::string>{"top", "--interval", "0.1", "--once", "--sort", "lag"}}) {
    const std::string out = Succeed(how);
    EXPECT_THAT(out, HasSubstr("1 of 1 nodes ready  controller 1"));
    EXPECT_THAT(out, HasSubstr("all is as it should be"));
    EXPECT_THAT(out, HasSubstr("NODE  NAME"));
    EXPECT_THAT(out, HasSubstr("orders"));
    EXPECT_THAT(out, Not(HasSubstr("\x1b"))) << "no colours on paper";
  }
}

TEST_F(OperatorTest, TopShowsWhatIsProducedAndConsumed) {
  Succeed({"topic", "create", "orders"});
  const auto client = server_.NewClient();
  auto producer = Producer::Create(client, {.topic = "orders"});
  auto consumer = Consumer::Create(client, {.topic = "orders"});
  ASSERT_TRUE(producer.ok() && consumer.ok());
  std::atomic<bool> stop{false};
  std::thread passing([&] {
    ConsumedRecord record;
    while (!stop && (*producer)->Produce({.value = "x"}).ok()) {
      if ((*consumer)->Next(record, 60'000) != Consumer::Result::kRecord) return;
    }
  });
  json view;
  EXPECT_TRUE(Await([&] {
    view = json::parse(Succeed({"top", "--once", "--output", "json", "--interval", "300ms"}));
    const json& topic = view.at("topics").at(1);
    return topic.at("in_records_per_s") > 0 && topic.at("out_records_per_s") > 0 &&
           topic.at("consumers") == 1;
  })) << view;
  EXPECT_EQ(view.at("topics").at(1).at("name"), "orders");
  EXPECT_GT(view.at("nodes").at(0).at("cpu_percent"), 0);
  EXPECT_GT(view.at("nodes").at(0).at("fsync_p99_s"), 0);
  EXPECT_TRUE(view.at("topics").at(1).at("lag_records").is_number());
  stop = true;
  passing.join();
}

TEST_F(OperatorTest, TopAsJsonGoesOnUntilItIsInterrupted) {
  const auto done =
      RunCommand({"bash", "-c",
                  "timeout --signal INT 2 " + Cairn({})[0] +
                      " top --output json --interval 200ms --addr " + server_.address()});
  EXPECT_THAT(done.err, IsEmpty());
  std::istringstream lines(done.out);
  int views = 0;
  for (std::string line; std::getline(lines, line); ++views) {
    EXPECT_EQ(json::parse(line).at("nodes_ready"), 1);
  }
  EXPECT_GE(views, 2);
  const auto head = RunCommand({"bash", "-c",
                                "set -o pipefail; " + Cairn({})[0] +
                                    " top --output json --interval 100ms --addr " +
                                    server_.address() + " | head -n 2"});
  EXPECT_EQ(head.exit_code, 0) << head.err;
}

TEST_F(OperatorTest, WrongUsageIsSaid) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> wrong = {
      {{"top", "--interval", "soon"}, "no time from 100ms to 1h"},
      {{"top", "--interval", "1ms"}, "no time from 100ms to 1h"},
      {{"top", "--interval", "2h"}, "no time from 100ms to 1h"},
      {{"top", "--interval", "nan"}, "no time from 100ms to 1h"},
      {{"top", "--sort", "color"}, "--sort"},
      {{"top", "extra"}, "unexpected argument 'extra'"},
      {{"debug"}, "subcommand"},
      {{"debug", "bundel"}, "did you mean 'bundle'?"},
  };
  for (const auto& [arguments, text] : wrong) {
    const auto done = RunCommand(Cairn(arguments));
    EXPECT_EQ(done.exit_code, 2) << arguments.back();
    EXPECT_THAT(done.err, HasSubstr(text));
  }
  const auto key = Run({"cluster", "keys", "install", "nonsense"});
  EXPECT_NE(key.exit_code, 0);
  EXPECT_THAT(key.err, HasSubstr("cairn cluster keys install: ")) << "every word of the command";
}

TEST_F(OperatorTest, TheBundleHasEverythingButTheKeys) {
  Succeed({"topic", "create", "orders"});
  AwaitCalm();
  const std::string file = scratch_ / "bundle.tar.gz";
  EXPECT_THAT(Succeed({"debug", "bundle", "--file", file}), HasSubstr(file + ": 10 files\n"));
  struct stat state {};
  ASSERT_EQ(stat(file.c_str(), &state), 0);
  EXPECT_EQ(state.st_mode & 07777, 0600u);

  const json manifest = json::parse(Extract(file, "manifest.json"));
  EXPECT_THAT(manifest.at("missing"), IsEmpty());
  std::string all;
  for (const json& row : manifest.at("files")) {
    const std::string contents = Extract(file, row.at("file").get<std::string>());
    EXPECT_EQ(contents.size(), row.at("bytes")) << row;
    EXPECT_THAT(contents, Not(IsEmpty())) << row;
    all += contents;
  }
  EXPECT_THAT(all, Not(HasSubstr(kKey)));
  EXPECT_THAT(all, Not(HasSubstr("PRIVATE KEY")));
  EXPECT_EQ(json::parse(Extract(file, "node-1/config.json")).at("encrypt"), "(set)");
  EXPECT_EQ(json::parse(Extract(file, "node-1/config.json")).at("data_dir"), server_.data_dir());
  EXPECT_THAT(Extract(file, "node-1/metrics.prom"), HasSubstr("cairn_build_info{"));
  EXPECT_THAT(Extract(file, "node-1/log"), HasSubstr("\"msg\":\"serving\""));
  EXPECT_EQ(json::parse(Extract(file, "node-1/health.json")).at(0).at("ok"), true);
  EXPECT_THAT(Extract(file, "node-1/node.json"), HasSubstr("\"version\""));
  EXPECT_EQ(json::parse(Extract(file, "cluster-status.json")).at("controller"), 1);
  EXPECT_THAT(json::parse(Extract(file, "cluster-why.json")).at("waits"), IsEmpty());
  EXPECT_EQ(json::parse(Extract(file, "topics.json")).at("topics").size(), 2u);
  EXPECT_EQ(json::parse(Extract(file, "gossip-members.json")).at("members").size(), 1u);

  const auto again = Run({"debug", "bundle", "--file", file});
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_THAT(again.err, AllOf(HasSubstr("already"), HasSubstr("--force")));
  EXPECT_EQ(json::parse(Succeed({"debug", "bundle", "--file", file, "--force", "--output", "json"}))
                .at("files"),
            10);
}

TEST_F(OperatorTest, WithoutABrokerThereIsNoBundle) {
  server_.Kill();
  const std::string file = scratch_ / "bundle.tar.gz";
  const auto done = Run({"debug", "bundle", "--file", file, "--timeout", "1"});
  EXPECT_EQ(done.exit_code, 1);
  EXPECT_THAT(done.err, HasSubstr("is the server running?"));
  struct stat state {};
  EXPECT_NE(stat(file.c_str(), &state), 0);
}

TEST(OperatorClusterTest, ANodeThatIsGoneIsARowAndALineOfTheManifest) {
  ClusterProcess cluster;
  ASSERT_NO_FATAL_FAILURE(cluster.Start());
  cluster.Kill(2);
  const std::string asked = cluster.node(0).address();
  json view;
  json gone;
  EXPECT_TRUE(Await([&] {
    const auto top = RunAt(asked, {"top", "--once", "--output", "json", "--interval", "100ms"});
    EXPECT_EQ(top.exit_code, 0) << top.err;
    view = json::parse(top.out);
    for (const json& node : view.at("nodes")) {
      if (node.at("name") == ClusterProcess::NameOf(2)) gone = node;
    }
    return gone.at("state") == "no answer" && view.at("nodes_ready") == 2 &&
           view.at("under_replicated") > 0 && !view.at("waits").empty();
  })) << view;
  const std::string number = std::to_string(gone.at("id").get<int>());
  EXPECT_THAT(gone.at("error").get<std::string>(),
              HasSubstr("node " + number + " does not answer"));
  EXPECT_THAT(RunAt(asked, {"top", "--once", "--interval", "100ms"}).out,
              AllOf(HasSubstr("2 of 3 nodes ready"), HasSubstr("no answer")));

  const ScratchDir scratch;
  const auto bundle = RunAt(asked, {"debug", "bundle", "--file", scratch / "b.tar.gz"});
  EXPECT_EQ(bundle.exit_code, 0) << bundle.err;
  EXPECT_THAT(bundle.out, HasSubstr("without node-" + number + "/metrics.prom: node " + number +
                                    " does not answer"));
  const json manifest = json::parse(
      RunCommand({"tar", "-xOzf", scratch / "b.tar.gz", "cairn-debug/manifest.json"}).out);
  ASSERT_EQ(manifest.at("missing").size(), 2u) << manifest;
  EXPECT_EQ(manifest.at("missing").at(0).at("reason"), "NODE_UNREACHABLE");
  const auto listed = RunCommand({"tar", "-tzf", scratch / "b.tar.gz"});
  EXPECT_THAT(listed.out, AllOf(HasSubstr("/log"), Not(HasSubstr("node-" + number + "/log"))));

  const std::string status = RunAt(asked, {"cluster", "status"}).out;
  EXPECT_THAT(status, HasSubstr("active, does not answer"));
  EXPECT_THAT(status, HasSubstr("UNDER-REPLICATED"));
  EXPECT_THAT(status, HasSubstr("holds 1"));
  EXPECT_THAT(status, HasSubstr("`cairn cluster why` says what that waits for"));
}

}  // namespace
}  // namespace cairn::testing
