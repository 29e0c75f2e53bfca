// A server's beginning and end, from outside: signals, exit codes, what it says when it cannot
// start.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "cairn/admin.h"
#include "cairn/producer.h"
#include "process/numbered_records.h"
#include "process/server_process.h"

namespace cairn::testing {
namespace {

using ::testing::HasSubstr;

TEST(LifecycleTest, SigtermDrainsAndExitsWithZeroInTime) {
  const ScratchDir scratch;
  ServerProcess server(scratch / "data");
  server.Start();
  ASSERT_TRUE(Admin(server.NewClient()).CreateTopic({.name = "t"}).ok());
  Acknowledgements acknowledged;
  {
    auto producer = Producer::Create(server.NewClient(), {.topic = "t", .batch_bytes = 1024});
    ASSERT_TRUE(producer.ok()) << producer.status();
    for (uint64_t number = 0; number < 20'000; ++number) {
      ASSERT_TRUE(
          (*producer)->Produce({.value = std::to_string(number)}, acknowledged.For(number)).ok());
      if (number == 10'000) server.Signal(SIGTERM);
    }
    const auto began = std::chrono::steady_clock::now();
    EXPECT_EQ(server.Wait(), 0) << server.log();
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10));
  }  // the producer gives up; what was acknowledged by then counts
  server.Start();
  EXPECT_GE(ExpectExactlyOnce(server.NewClient(), "t", acknowledged.offsets()),
            acknowledged.count());
}

TEST(LifecycleTest, SigtermOfAnIdleServerIsQuick) {
  const ScratchDir scratch;
  ServerProcess server(scratch / "data");
  server.Start();
  const auto began = std::chrono::steady_clock::now();
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), 0) << server.log();
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(3));
}

TEST(LifecycleTest, SaysThatThePortIsInUse) {
  const ScratchDir scratch;
  ServerProcess first(scratch / "one");
  first.Start();
  const std::string port = first.address().substr(first.address().rfind(':') + 1);
  const auto second = RunCommand(Cairn(
      {"server", "--data-dir", scratch / "two", "--rpc-port", port, "--bind-addr", "127.0.0.1:0"}));
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.err, HasSubstr(port));
  EXPECT_THAT(second.err, HasSubstr("rpc-port"));
}

TEST(LifecycleTest, SaysThatTheDataDirectoryIsInUse) {
  const ScratchDir scratch;
  ServerProcess first(scratch / "data");
  first.Start();
  const auto second = RunCommand(Cairn(
      {"server", "--data-dir", scratch / "data", "--rpc-port", "0", "--bind-addr", "127.0.0.1:0"}));
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.err, HasSubstr("in use"));
  EXPECT_THAT(second.err, HasSubstr(std::to_string(first.pid())));
}

TEST(LifecycleTest, SaysThatADirectoryIsNotOurs) {
  const ScratchDir scratch;
  WriteWholeFile(scratch / "letter.txt", "dear reader");
  const auto server = RunCommand(Cairn(
      {"server", "--data-dir", scratch.path(), "--rpc-port", "0", "--bind-addr", "127.0.0.1:0"}));
  EXPECT_EQ(server.exit_code, 1);
  EXPECT_THAT(server.err, HasSubstr("letter.txt"));
  EXPECT_EQ(ReadWholeFile(scratch / "letter.txt"), "dear reader");
}

TEST(LifecycleTest, NamesAWrongYamlKeyAndTheNearest) {
  const ScratchDir scratch;
  WriteWholeFile(scratch / "c.yaml", "data-dri: " + scratch.path() + "\n");
  const auto server = RunCommand(Cairn({"server", "--config-file", scratch / "c.yaml"}));
  EXPECT_EQ(server.exit_code, 2);
  EXPECT_THAT(server.err, HasSubstr("c.yaml:1"));
  EXPECT_THAT(server.err, HasSubstr("data-dri"));
  EXPECT_THAT(server.err, HasSubstr("data_dir"));
}

TEST(LifecycleTest, TakesSettingsFromFileVariableAndFlag) {
  const ScratchDir scratch;
  WriteWholeFile(scratch / "c.yaml", "default_partitions: 3\nnode_name: from-file\n");
  ASSERT_EQ(setenv("CAIRN_NODE_NAME", "from-variable", 1), 0);
  ServerProcess server(scratch / "data");
  server.Start({}, {"--config-file", scratch / "c.yaml"});
  unsetenv("CAIRN_NODE_NAME");
  const auto topic = Admin(server.NewClient()).CreateTopic({.name = "t"});
  ASSERT_TRUE(topic.ok()) << topic.status();
  EXPECT_EQ(topic->partition_count, 3);
  EXPECT_THAT(server.log(), HasSubstr("from-variable"));
}

}  // namespace
}  // namespace cairn::testing
