// The server is killed at each of its system calls that write, one after the other: strace injects
// SIGKILL at the N-th. Whatever was acknowledged before is there after the restart.

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <iostream>
#include <string>

#include "cairn/admin.h"
#include "cairn/producer.h"
#include "process/numbered_records.h"
#include "process/server_process.h"

namespace cairn::testing {
namespace {

// What a server changes the disk with. strace counts each call and each thread on its own.
constexpr const char* kWriteCalls[] = {"pwrite64",  "pwritev", "pwritev2", "write",     "fdatasync",
                                       "fsync",     "rename",  "renameat", "renameat2", "ftruncate",
                                       "fallocate", "unlink",  "unlinkat", "mkdir",     "mkdirat",
                                       "msync",     "openat"};
// (Not with --seccomp-bpf: strace then counts only up to the first.)
// Calls that happen often are not followed to their end: what comes later only repeats.
constexpr int kMaxPerCall = 12;

bool StraceWorks() {
  const auto done = RunCommand({"strace", "-f", "-e", "trace=pwrite64", "-o", "/dev/null", "true"});
  return done.exit_code == 0;
}

// A script that appends, rolls segments, and creates and deletes a topic; it stops at the first
// failure.
void RunScript(ServerProcess& server, Acknowledgements& acknowledged, uint64_t& number) {
  const auto client = Client::Create({.address = server.address(), .timeout_ms = 5'000});
  ASSERT_TRUE(client.ok()) << client.status();
  Admin admin(*client);
  admin.DeleteTopic("other").IgnoreError();  // an earlier run may have been killed before it did
  if (!admin.CreateTopic({.name = "other"}).ok()) return;
  if (!admin.DeleteTopic("other").ok()) return;
  const auto producer = Producer::Create(
      *client, {.topic = "t", .linger_ms = 0, .batch_bytes = 20'000, .delivery_timeout_ms = 500});
  if (!producer.ok()) return;
  const std::string padding(10'000, ' ');
  for (int i = 0; i < 20; ++i) {
    const std::string value = std::to_string(number) + padding;
    if (!(*producer)->Produce({.value = value}, acknowledged.For(number)).ok()) return;
    ++number;
    if (!(*producer)->Flush().ok()) return;
  }
}

TEST(StraceKillTest, KeepsWhatWasAcknowledgedAtEveryWriteClassCall) {
  if (!StraceWorks()) GTEST_SKIP() << "strace is missing or may not trace here";
  const ScratchDir scratch;
  ServerProcess server(scratch / "data");
  server.Start();
  ASSERT_TRUE(Admin(server.NewClient())
                  .CreateTopic({.name = "t", .settings = {.segment_bytes = 64 << 10}})
                  .ok());
  server.Signal(SIGTERM);
  ASSERT_EQ(server.Wait(), 0);

  Acknowledgements acknowledged;
  uint64_t number = 0;
  int killed = 0;
  for (const std::string call : kWriteCalls) {
    for (int nth = 1; nth <= kMaxPerCall && !HasFailure(); ++nth) {
      const bool started = server.TryStart(
          {"strace", "-D", "-f", "-qq", "-e", "trace=" + call, "-e",
           "inject=" + call + ":signal=SIGKILL:when=" + std::to_string(nth), "-o", "/dev/null"});
      if (started) {
        RunScript(server, acknowledged, number);
        server.Signal(SIGTERM);
      }
      const bool reached = server.Wait() != 0;
      killed += reached ? 1 : 0;
      server.Start();
      ExpectExactlyOnce(server.NewClient(), "t", acknowledged.offsets());
      server.Signal(SIGTERM);
      ASSERT_EQ(server.Wait(), 0) << call << " " << nth << "\n" << server.log();
      if (!reached) break;
      std::cout << "killed at " << call << " " << nth << "\n";
    }
  }
  std::cout << "killed at " << killed << " calls, " << acknowledged.count()
            << " records acknowledged\n";
  EXPECT_GT(killed, 20) << "the server was killed at fewer calls than it makes";
}

}  // namespace
}  // namespace cairn::testing
