#include "cairn/producer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "cairn/error.h"
#include "client/broker_fixture.h"
#include "log/records.h"

namespace cairn::client {
namespace {

using Act = ScriptedBroker::Act;
using ::testing::HasSubstr;

Act StoreAll(int /*nth*/, const logapi::v1::ProduceRequest& /*request*/) { return {}; }

absl::Status Overloaded() {
  return base::MakeError(absl::StatusCode::kResourceExhausted, "later", base::reason::kOverloaded);
}
absl::Status TooLarge() {
  return base::MakeError(absl::StatusCode::kInvalidArgument, "too large",
                         base::reason::kBatchTooLarge);
}

// Produces "0", "1", … and keeps what the callbacks say.
class TestRun {
 public:
  explicit TestRun(const ScriptedBroker& broker, ProducerOptions options = {}) {
    auto client = Client::Create({.address = broker.address()});
    EXPECT_TRUE(client.ok());
    options.topic = "t";
    auto producer = Producer::Create(*client, std::move(options));
    EXPECT_TRUE(producer.ok()) << producer.status();
    if (producer.ok()) producer_ = *std::move(producer);
  }

  // One batch for each record: a flush that does not wait for the answers would hide the
  // pipelining, so batches are cut by size.
  void ProduceBatches(int count) {
    const std::string padding(600, ' ');
    for (int i = 0; i < count; ++i, ++next_) {
      const int number = next_;
      const absl::Status taken = producer_->Produce(
          {.value = std::to_string(number) + padding},
          [this, number](const absl::StatusOr<Delivery>& delivery) {
            std::lock_guard<std::mutex> lock(mutex_);
            EXPECT_TRUE(results_.emplace(number, delivery).second) << "told twice: " << number;
          });
      EXPECT_TRUE(taken.ok()) << taken;
    }
  }

  Producer& producer() { return *producer_; }
  std::map<int, absl::StatusOr<Delivery>> results() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return results_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<int, absl::StatusOr<Delivery>> results_;
  int next_ = 0;
  std::unique_ptr<Producer> producer_;
};

// One record of 600 bytes fills a batch.
ProducerOptions OneRecordPerBatch() { return {.linger_ms = 1, .batch_bytes = 1024}; }

// Values in the order in which the broker stored them.
std::vector<int> StoredNumbers(const ScriptedBroker& broker) {
  std::vector<int> numbers;
  for (const auto& batch : broker.stored()) {
    log::RecordsReader reader(batch.records, 0);
    log::RecordView record;
    while (true) {
      const auto more = reader.Next(record);
      EXPECT_TRUE(more.ok()) << more.status();
      if (!more.ok() || !*more) break;
      numbers.push_back(std::stoi(std::string(*record.value)));
    }
  }
  return numbers;
}

std::vector<int> UpTo(int count) {
  std::vector<int> numbers;
  for (int i = 0; i < count; ++i) numbers.push_back(i);
  return numbers;
}

TEST(ProducerTest, DeliversEachRecordWithItsOffset) {
  const ScriptedBroker broker(StoreAll);
  TestRun run(broker, OneRecordPerBatch());
  run.ProduceBatches(100);
  EXPECT_TRUE(run.producer().Flush().ok());
  const auto results = run.results();
  ASSERT_EQ(results.size(), 100u);
  for (const auto& [number, delivery] : results) {
    ASSERT_TRUE(delivery.ok()) << delivery.status();
    EXPECT_EQ(delivery->offset, static_cast<uint64_t>(number));
  }
  EXPECT_EQ(StoredNumbers(broker), UpTo(100));
}

TEST(ProducerTest, SharesABatchWithinTheLinger) {
  const ScriptedBroker broker(StoreAll);
  TestRun run(broker, {.linger_ms = 60'000});
  run.ProduceBatches(100);
  EXPECT_TRUE(run.producer().Flush().ok());
  ASSERT_EQ(broker.stored().size(), 1u);
  EXPECT_EQ(broker.stored()[0].record_count, 100u);
}

TEST(ProducerTest, SendsAgainInOrderWhenTheStreamBreaksBeforeStoring) {
  const ScriptedBroker broker([](int nth, const logapi::v1::ProduceRequest&) -> Act {
    return {.kind = nth % 7 == 3 ? Act::kBreakBefore : Act::kStore};
  });
  TestRun run(broker, OneRecordPerBatch());
  run.ProduceBatches(40);
  EXPECT_TRUE(run.producer().Flush().ok());
  EXPECT_EQ(StoredNumbers(broker), UpTo(40));
}

TEST(ProducerTest, StoresOnceWhenTheAnswerIsLost) {
  const ScriptedBroker broker([](int nth, const logapi::v1::ProduceRequest&) -> Act {
    return {.kind = nth % 5 == 2 ? Act::kBreakAfter : Act::kStore};
  });
  TestRun run(broker, OneRecordPerBatch());
  run.ProduceBatches(40);
  EXPECT_TRUE(run.producer().Flush().ok());
  EXPECT_EQ(StoredNumbers(broker), UpTo(40));
  for (const auto& [number, delivery] : run.results()) {
    ASSERT_TRUE(delivery.ok()) << delivery.status();
    EXPECT_EQ(delivery->offset, static_cast<uint64_t>(number));
  }
}

TEST(ProducerTest, SendsAgainInOrderWhatABusyBrokerRefused) {
  const ScriptedBroker broker([](int nth, const logapi::v1::ProduceRequest&) -> Act {
    if (nth % 6 == 1) return {.kind = Act::kRefuse, .refusal = Overloaded()};
    return {};
  });
  TestRun run(broker, OneRecordPerBatch());
  run.ProduceBatches(40);
  EXPECT_TRUE(run.producer().Flush().ok());
  EXPECT_EQ(StoredNumbers(broker), UpTo(40));
}

TEST(ProducerTest, ARefusalForGoodFailsItsBatchAndNoOther) {
  const ScriptedBroker broker([](int /*nth*/, const logapi::v1::ProduceRequest& request) -> Act {
    if (request.batch().records().find("13 ") != std::string::npos) {
      return {.kind = Act::kRefuse, .refusal = TooLarge()};
    }
    return {};
  });
  TestRun run(broker, OneRecordPerBatch());
  run.ProduceBatches(40);
  const absl::Status flushed = run.producer().Flush();
  EXPECT_EQ(ErrorReason(flushed), "BATCH_TOO_LARGE") << flushed;
  EXPECT_TRUE(run.producer().Flush().ok()) << "a failure is reported once";
  std::vector<int> expected = UpTo(40);
  expected.erase(expected.begin() + 13);
  EXPECT_EQ(StoredNumbers(broker), expected);
  for (const auto& [number, delivery] : run.results()) EXPECT_EQ(delivery.ok(), number != 13);
  EXPECT_EQ(broker.stored().back().epoch, 1) << "the hole in the sequence takes a new epoch";
}

TEST(ProducerTest, ReportsTheBrokersRefusalWhenItsTimeIsUp) {
  const ScriptedBroker broker([](int, const logapi::v1::ProduceRequest&) -> Act {
    return {.kind = Act::kRefuse, .refusal = Overloaded()};
  });
  ProducerOptions options = OneRecordPerBatch();
  options.delivery_timeout_ms = 300;
  options.max_in_flight = 1;
  TestRun run(broker, options);
  run.ProduceBatches(1);
  const absl::Status flushed = run.producer().Flush();
  EXPECT_EQ(ErrorReason(flushed), "OVERLOADED") << flushed;
}

TEST(ProducerTest, SaysThatNobodyKnowsWhenTheBrokerStaysAway) {
  auto broker = std::make_unique<ScriptedBroker>(StoreAll);
  ProducerOptions options = OneRecordPerBatch();
  options.delivery_timeout_ms = 300;
  TestRun run(*broker, options);
  broker.reset();
  run.ProduceBatches(3);
  const absl::Status flushed = run.producer().Flush();
  EXPECT_EQ(flushed.code(), absl::StatusCode::kDeadlineExceeded) << flushed;
  EXPECT_EQ(run.results().size(), 3u);
}

TEST(ProducerTest, RefusesWhatDoesNotFit) {
  const ScriptedBroker broker(StoreAll);
  TestRun run(broker);
  const std::string large(1001, 'x');
  const absl::Status refused = run.producer().Produce({.value = large});
  EXPECT_EQ(ErrorReason(refused), "RECORD_TOO_LARGE");
  EXPECT_EQ(ErrorMetadata(refused)["limit_bytes"], "1000");
}

TEST(ProducerTest, FailsOrWaitsWhenTheBufferIsFull) {
  std::atomic<bool> busy = true;
  const ScriptedBroker broker([&busy](int, const logapi::v1::ProduceRequest&) -> Act {
    if (busy) return {.kind = Act::kRefuse, .refusal = Overloaded()};
    return {};
  });
  ProducerOptions options = OneRecordPerBatch();
  options.buffer_bytes = 10'000;
  options.when_full = WhenFull::kFail;
  TestRun run(broker, options);
  const std::string value(600, 'x');
  absl::Status last;
  int taken = 0;
  while (taken < 1000 && (last = run.producer().Produce({.value = value})).ok()) ++taken;
  EXPECT_EQ(last.code(), absl::StatusCode::kResourceExhausted) << last;
  EXPECT_GE(taken, 10);
  EXPECT_LE(taken, 17);
  busy = false;
  EXPECT_TRUE(run.producer().Flush().ok());
  EXPECT_TRUE(run.producer().Produce({.value = value}).ok());
}

TEST(ProducerTest, KeepsEachKeyInOnePartition) {
  std::mutex mutex;
  std::map<std::string, std::set<int32_t>> partitions;  // by key
  const ScriptedBroker broker(
      [&](int, const logapi::v1::ProduceRequest& request) -> Act {
        log::RecordsReader reader(request.batch().records(), 0);
        log::RecordView record;
        std::lock_guard<std::mutex> lock(mutex);
        while (reader.Next(record).value_or(false)) {
          partitions[std::string(*record.key)].insert(request.partition());
        }
        return {};
      },
      /*partitions=*/8);
  // The broker's sequence rule is of one partition: without idempotence here.
  TestRun run(broker, {.linger_ms = 1, .batch_bytes = 1024, .idempotent = false});
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(run.producer().Produce({.key = "key" + std::to_string(i % 50), .value = "v"}).ok());
  }
  ASSERT_TRUE(run.producer().Flush().ok());
  std::set<int32_t> used;
  for (const auto& [key, where] : partitions) {
    EXPECT_EQ(where.size(), 1u) << key;
    used.insert(where.begin(), where.end());
  }
  EXPECT_EQ(partitions.size(), 50u);
  EXPECT_GT(used.size(), 4u);
}

TEST(ProducerTest, NamesAnUnknownTopicAndAWrongOption) {
  const ScriptedBroker broker(StoreAll);
  const auto client = Client::Create({.address = broker.address()});
  EXPECT_EQ(ErrorReason(Producer::Create(*client, {.topic = "x"}).status()), "UNKNOWN_TOPIC");
  const auto wrong = Producer::Create(*client, {.topic = "t", .max_in_flight = 0});
  EXPECT_THAT(wrong.status().ToString(), HasSubstr("max_in_flight is 0; expected 1 to 256"));
}

TEST(ProducerTest, WhatWasNotFlushedIsCancelledByTheDestructor) {
  const ScriptedBroker broker([](int, const logapi::v1::ProduceRequest&) -> Act {
    return {.kind = Act::kRefuse, .refusal = Overloaded()};
  });
  int cancelled = 0;
  {
    const auto client = Client::Create({.address = broker.address()});
    const auto producer = Producer::Create(*client, {.topic = "t"});
    ASSERT_TRUE(producer.ok());
    for (int i = 0; i < 10; ++i) {
      ASSERT_TRUE((*producer)
                      ->Produce({.value = "x"},
                                [&](const absl::StatusOr<Delivery>& delivery) {
                                  cancelled += absl::IsCancelled(delivery.status()) ? 1 : 0;
                                })
                      .ok());
    }
  }
  EXPECT_EQ(cancelled, 10);
}

}  // namespace
}  // namespace cairn::client
