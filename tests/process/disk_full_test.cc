// A full disk: writes are refused in words, reads go on, and it recovers by itself when there is
// room again.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "cairn/admin.h"
#include "cairn/error.h"
#include "cairn/producer.h"
#include "env/raw_client.h"
#include "process/numbered_records.h"
#include "process/server_process.h"
#include "process/small_disk.h"

namespace cairn::testing {
namespace {

constexpr size_t kDiskBytes = 24 << 20;

std::string Health(const ServerProcess& server) {
  env::RawClient client(server.address());
  client.Send("GET /readyz?verbose HTTP/1.0\r\nHost: x\r\n\r\n");
  return client.ReceiveAll();
}

TEST(DiskFullTest, RefusesWritesServesReadsAndRecovers) {
  const ScratchDir scratch;
  const SmallDisk disk(scratch / "disk", kDiskBytes);
  if (!disk.mounted()) GTEST_SKIP() << "mounting a tmpfs needs root";
  // What takes the space away, later.
  WriteWholeFile(scratch / "disk/ballast", std::string(8 << 20, 'x'));
  ServerProcess server(scratch / "disk/data");
  server.Start();
  ASSERT_TRUE(Admin(server.NewClient())
                  .CreateTopic({.name = "t", .settings = {.segment_bytes = 1 << 20}})
                  .ok());

  Acknowledgements acknowledged;
  auto producer = Producer::Create(
      server.NewClient(),
      {.topic = "t", .batch_bytes = 64 << 10, .max_in_flight = 4, .delivery_timeout_ms = 3'000});
  ASSERT_TRUE(producer.ok()) << producer.status();
  uint64_t number = 0;
  const std::string padding(1000, ' ');
  const auto produce = [&] {
    const std::string value = std::to_string(number) + padding;
    const absl::Status taken = (*producer)->Produce({.value = value}, acknowledged.For(number));
    ++number;
    return taken;
  };
  while (acknowledged.failures() == 0 && number < 100'000) ASSERT_TRUE(produce().ok());
  (*producer)->Flush().IgnoreError();
  ASSERT_GT(acknowledged.failures(), 0u) << "a disk of 24 MB took " << number << " KB";
  EXPECT_THAT(acknowledged.last_failure().ToString(), ::testing::HasSubstr("the disk is full"));
  ASSERT_GT(acknowledged.count(), 1000u);
  ASSERT_FALSE(server.Ended()) << server.log();

  EXPECT_THAT(Health(server), ::testing::AllOf(::testing::StartsWith("HTTP/1.1 503 "),
                                               ::testing::HasSubstr("[-]disk failed: ")));
  EXPECT_EQ(server.Metric("cairn_disk_full"), 1);

  // Reads go on.
  ExpectExactlyOnce(server.NewClient(), "t", acknowledged.offsets());

  // Room again: the same producer goes on, without a restart.
  std::filesystem::remove(scratch / "disk/ballast");
  const size_t before = acknowledged.count();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (acknowledged.count() == before && std::chrono::steady_clock::now() < deadline) {
    ASSERT_TRUE(produce().ok());
    (*producer)->Flush().IgnoreError();
  }
  EXPECT_GT(acknowledged.count(), before) << acknowledged.last_failure();
  EXPECT_THAT(Health(server), ::testing::HasSubstr("[+]disk ok"));
  EXPECT_EQ(server.Metric("cairn_disk_full"), 0);
  ExpectExactlyOnce(server.NewClient(), "t", acknowledged.offsets());
}

}  // namespace
}  // namespace cairn::testing
