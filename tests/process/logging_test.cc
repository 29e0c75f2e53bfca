// The log of a server in a file: rotated, made more or less talkative, and out of space.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "process/await.h"
#include "process/node_client.h"
#include "process/server_process.h"
#include "process/small_disk.h"

namespace cairn::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

bool Produce(NodeClient& client) {
  logapi::v1::ProduceRequest request;
  request.mutable_record()->set_value("x");
  return client.Produce(request).ok();
}

bool Holds(const std::string& path, const std::string& text) {
  return std::filesystem::exists(path) && ReadWholeFile(path).find(text) != std::string::npos;
}

TEST(LoggingTest, SighupOpensTheFileAgainAndReadsTheLevels) {
  const ScratchDir scratch;
  const std::string log = scratch / "cairn.log";
  WriteWholeFile(scratch / "c.yaml", "log_level: warn,server=info\n");
  ServerProcess server(scratch / "data");
  server.Start({}, {"--config-file", scratch / "c.yaml", "--log-file", log});
  NodeClient client(server.address());
  ASSERT_TRUE(Produce(client));
  EXPECT_TRUE(Holds(log, "\"msg\":\"serving\"")) << ReadWholeFile(log);
  EXPECT_GE(server.Metric("cairn_log_lines_written_total"), 1);
  EXPECT_EQ(server.log(), "") << "what is in the file is not on stderr";

  WriteWholeFile(scratch / "c.yaml", "log_level: warn,rpc=debug\n");
  std::filesystem::rename(log, log + ".1");
  server.Signal(SIGHUP);
  ASSERT_TRUE(Await([&] { return Produce(client) && Holds(log, "\"msg\":\"rpc\""); }));
  EXPECT_THAT(ReadWholeFile(log + ".1"), Not(HasSubstr("\"msg\":\"rpc\"")));

  // What is wrong changes nothing; it is told by the module that may speak at all.
  WriteWholeFile(scratch / "c.yaml", "log_level: warn,rcp=debug\n");
  server.Signal(SIGHUP);
  EXPECT_TRUE(Await([&] { return Holds(log, "\\\"rcp\\\" is not a module: server, rpc"); }));
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), 0);
}

TEST(LoggingTest, AFileThatCannotBeOpenedIsSaidAtTheStart) {
  const ScratchDir scratch;
  const auto server =
      RunCommand(Cairn({"server", "--data-dir", scratch / "data", "--rpc-port", "0", "--bind-addr",
                        "127.0.0.1:0", "--log-file", scratch / "no/such"}));
  EXPECT_EQ(server.exit_code, 1);
  EXPECT_THAT(server.err, HasSubstr("--log-file: "));
}

TEST(LoggingTest, AFullLogDirectoryLosesLinesAndNothingElse) {
  const ScratchDir scratch;
  const SmallDisk disk(scratch / "logs", 32 << 20);
  if (!disk.mounted()) GTEST_SKIP() << "mounting a tmpfs needs root";
  // It leaves room for a thousand lines. What the queue holds fits once it is gone.
  WriteWholeFile(scratch / "logs/ballast", std::string((32 << 20) - (256 << 10), 'x'));
  const std::string log = scratch / "logs/cairn.log";
  ServerProcess server(scratch / "data");
  server.Start({}, {"--log-level", "debug", "--log-file", log});

  std::atomic<bool> dropped{false};
  std::atomic<uint64_t> produced{0};
  std::atomic<uint64_t> failed{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&] {
      NodeClient client(server.address());
      while (!dropped) ++(Produce(client) ? produced : failed);
    });
  }
  EXPECT_TRUE(Await([&] { return server.Metric("cairn_log_lines_dropped_total") > 0; }));
  dropped = true;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(failed, 0u) << "of " << produced;
  const double failures = server.Metric("cairn_log_failures_total");
  EXPECT_GE(failures, 1);
  EXPECT_THAT(server.log(), HasSubstr("log file cannot be written")) << "stderr is told";

  // Room again: what waited is written, and where lines are missing it says how many.
  std::filesystem::remove(scratch / "logs/ballast");
  ASSERT_TRUE(Await([&] { return Holds(log, "\"msg\":\"log lines dropped\""); }));
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), 0);
  std::istringstream lines(ReadWholeFile(log));
  double torn = 0;
  for (std::string line; std::getline(lines, line);) torn += nlohmann::json::accept(line) ? 0 : 1;
  EXPECT_LE(torn, failures) << "an attempt that failed may leave a part of a line";
}

}  // namespace
}  // namespace cairn::testing
