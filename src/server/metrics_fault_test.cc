// GET /metrics of a node that has trouble: the metrics that operators are woken for.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "server/scrape_testing.h"
#include "server/server_fixture.h"

namespace cairn::server {
namespace {

class FaultMetricsTest : public ServerFixture {
 protected:
  Scrape Now() { return ScrapeOf(server_->address()); }

  // Stops the server, has `change` do something to the replica of `topic`, starts it again.
  template <typename Change>
  void ChangeReplica(const std::string& topic, Change change) {
    server_->Stop();
    server_.reset();
    const std::string topics = directory_.path() + "/data/topics";
    for (const auto& entry : std::filesystem::directory_iterator(topics)) {
      if (entry.path().filename().string().starts_with(topic + "~")) change(entry.path() / "0");
    }
    StartServer();
  }
};

TEST_F(FaultMetricsTest, TellOfAReplicaThatCannotBeOpened) {
  ASSERT_TRUE(CreateTopic("broken").ok());
  EXPECT_EQ(Now()["cairn_replicas{role=\"closed\"}"], 0);
  ChangeReplica("broken", [](const std::filesystem::path& replica) {
    std::ofstream(replica / "log-start") << "{}";
  });
  EXPECT_EQ(Now()["cairn_replicas{role=\"closed\"}"], 1);
  EXPECT_EQ(Now()[OfPartition("cairn_raft_role", "broken")], -1);
}

TEST_F(FaultMetricsTest, TellOfARottenBit) {
  cairn::v1::TopicSettings settings;
  settings.set_segment_bytes(64 << 10);
  ASSERT_TRUE(CreateTopic("old", 1, settings).ok());
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(ProduceValue(std::string(16 << 10, 'x'), "old").ok());
  EXPECT_EQ(Now()["cairn_replicas_damaged"], 0);
  ChangeReplica("old", [](const std::filesystem::path& replica) {
    std::filesystem::path first;  // the oldest segment
    for (const auto& file : std::filesystem::directory_iterator(replica)) {
      if (file.path().extension() != ".store") continue;
      if (first.empty() || file.path() < first) first = file.path();
    }
    ASSERT_FALSE(first.empty());
    std::fstream store(first, std::ios::in | std::ios::out | std::ios::binary);
    store.seekp(static_cast<std::streamoff>(std::filesystem::file_size(first) / 2));
    store.put('y');
  });
  // Found by whoever reads it first.
  logapi::v1::ConsumeRequest request;
  request.set_topic("old");
  request.set_offset(1);  // in the middle of the segment
  EXPECT_TRUE(Await([&] {
    Consume(request).status().IgnoreError();
    return Now()["cairn_replicas_damaged"] == 1;
  }));
}

// Nothing acknowledges faster than the disk: under load something always waits.
TEST_F(FaultMetricsTest, TellWhatWaitsForTheDisk) {
  std::atomic<bool> enough{false};
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] {
      const std::string value(500'000, 'x');
      while (!enough && ProduceValue(value).ok()) continue;
    });
  }
  EXPECT_TRUE(Await([&] { return Now()["cairn_produce_inflight_bytes"] >= 500'000; }));
  const std::string lag = OfPartition("cairn_raft_commit_lag_entries");
  EXPECT_TRUE(Await([&] { return Now()[lag] >= 1; }));
  enough = true;
  for (std::thread& client : clients) client.join();
  EXPECT_TRUE(Await([&] { return Now()["cairn_produce_inflight_bytes"] == 0; }));
  EXPECT_TRUE(Await([&] { return Now()[lag] == 0; }));
}

}  // namespace
}  // namespace cairn::server
