// kill -9 under load, again and again: nothing that was acknowledged is lost, nothing is stored
// twice.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <iostream>
#include <random>
#include <thread>

#include "cairn/admin.h"
#include "cairn/producer.h"
#include "process/numbered_records.h"
#include "process/server_process.h"

namespace cairn::testing {
namespace {

// Produces numbered records to `topic` until told to stop.
class Load {
 public:
  Load(std::shared_ptr<Client> client, const std::string& topic, int64_t linger_ms) {
    auto producer = Producer::Create(std::move(client), {.topic = topic,
                                                         .linger_ms = linger_ms,
                                                         .batch_bytes = 4096,
                                                         .buffer_bytes = 1 << 20,
                                                         .delivery_timeout_ms = 300'000});
    EXPECT_TRUE(producer.ok()) << producer.status();
    if (!producer.ok()) return;
    producer_ = *std::move(producer);
    thread_ = std::thread([this] {
      while (!stop_) {
        const uint64_t number = next_++;
        const std::string value = std::to_string(number);
        const absl::Status taken = producer_->Produce({.value = value}, acknowledged_.For(number));
        EXPECT_TRUE(taken.ok()) << taken;
        if (number % 64 == 0) std::this_thread::yield();
      }
    });
  }
  ~Load() { Stop(); }

  void Stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  // Everything produced is acknowledged afterwards.
  absl::Status Finish() {
    Stop();
    return producer_->Close();
  }
  uint64_t produced() const { return next_; }
  const Acknowledgements& acknowledged() const { return acknowledged_; }

 private:
  Acknowledgements acknowledged_;
  std::unique_ptr<Producer> producer_;
  std::atomic<uint64_t> next_ = 0;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

void KillManyTimes(int kills, int64_t linger_ms) {
  const ScratchDir scratch;
  ServerProcess server(scratch / "data");
  server.Start();
  ASSERT_TRUE(Admin(server.NewClient()).CreateTopic({.name = "load"}).ok());
  Load load(server.NewClient(), "load", linger_ms);
  std::minstd_rand random(static_cast<unsigned>(kills));
  for (int i = 0; i < kills && !::testing::Test::HasFailure(); ++i) {
    // Killed at a random moment after it has acknowledged something since its start.
    const size_t before = load.acknowledged().count();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (load.acknowledged().count() == before) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "nothing is acknowledged any more";
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 50'000));
    server.Kill();
    server.Start();
  }
  const absl::Status finished = load.Finish();
  EXPECT_TRUE(finished.ok()) << finished;
  EXPECT_EQ(load.acknowledged().failures(), 0u) << load.acknowledged().last_failure();
  EXPECT_EQ(load.acknowledged().count(), load.produced());
  const uint64_t stored =
      ExpectExactlyOnce(server.NewClient(), "load", load.acknowledged().offsets());
  EXPECT_EQ(stored, load.produced());
  std::cout << stored << " records over " << kills << " kills\n";
}

TEST(KillTest, LosesAndDoublesNothingOverFiftyKills) { KillManyTimes(50, 1); }

TEST(KillTest, LosesAndDoublesNothingWithoutLinger) { KillManyTimes(10, 0); }

}  // namespace
}  // namespace cairn::testing
