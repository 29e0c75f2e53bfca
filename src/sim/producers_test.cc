// A replica that got a snapshot instead of the beginning of its log knows the producers of what it
// did not get.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "log/records.h"
#include "sim/sim_cluster_testing.h"

namespace cairn::sim {
namespace {

constexpr int64_t kProducer = 7;

class ProducersTest : public SimClusterTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(SimClusterTest::SetUp());
    broker::TopicSettingsChange short_lived;
    short_lived.segment_bytes = broker::kMinTopicSegmentBytes;
    short_lived.retention_bytes = broker::kMinTopicSegmentBytes;
    cluster_.machine(0).node().CreateTopic("t", 1, 3, short_lived, [](const auto&) {});
    ASSERT_TRUE(RunUntil([&] { return topic() != nullptr && cluster_.Unsettled(true).empty(); }));
    group_ = topic()->group(0);
  }

  const cluster::Topic* topic() { return cluster_.Metadata()->metadata.FindTopic("t"); }
  std::shared_ptr<const broker::HostedReplica> On(Machine& machine) {
    return machine.works() ? machine.node().host().Find(group_) : nullptr;
  }
  Machine* Leader() {
    for (size_t i = 0; i < 3; ++i) {
      const auto hosted = On(cluster_.machine(i));
      if (hosted != nullptr && hosted->replica != nullptr && hosted->replica->serves()) {
        return &cluster_.machine(i);
      }
    }
    return nullptr;
  }

  // By whoever leads; by an idempotent producer when there is a sequence.
  broker::ProduceResult Produce(std::optional<int32_t> sequence, size_t bytes = 10) {
    // Shared with a call that is given up and answered later.
    auto stored = std::make_shared<absl::StatusOr<broker::ProduceResult>>();
    EXPECT_TRUE(RunUntil([&] {
      Machine* const leader = Leader();
      if (leader == nullptr) return false;
      log::BatchBuilder builder;
      builder.Add(base::StrCat("key ", ++produced_), std::string(bytes, 'x'), 0);
      log::Batch batch = builder.Take();
      if (sequence) {
        batch.producer_id = kProducer;
        batch.producer_epoch = 0;
        batch.base_sequence = *sequence;
      }
      *stored = absl::UnknownError("no answer");
      On(*leader)->partition->Produce(std::move(batch), std::nullopt,
                                      [stored](const auto& result) { *stored = result; });
      for (int i = 0; i < 100 && absl::IsUnknown(stored->status()); ++i) {
        world_.fabric.RunFor(kSecond / 100);
      }
      return stored->ok();
    })) << stored->status();
    return stored->value_or(broker::ProduceResult());
  }

  GroupId group_;
  int produced_ = 0;
};

TEST_F(ProducersTest, ARetryIsStoredOnceByALeaderThatNeverHadTheBatch) {
  Machine* away = nullptr;
  for (size_t i = 0; i < 3; ++i) {
    if (&cluster_.machine(i) != Leader()) away = &cluster_.machine(i);
  }
  away->Crash(true);
  const Offset stored = Produce(0).base_offset;
  while (On(*Leader())->partition->log_start() <= stored) {
    Produce(std::nullopt, 10'000);
    On(*Leader())->partition->ApplyRetention();
  }
  away->Boot();
  ASSERT_TRUE(RunUntil([&] { return Settled(); })) << cluster_.Unsettled(false);
  ASSERT_GT(On(*away)->partition->log_start(), stored);
  for (const bool restarted : {false, true}) {
    if (restarted) away->Crash(true);
    away->Boot();
    ASSERT_TRUE(RunUntil([&] { return Settled(); })) << cluster_.Unsettled(false);
    ASSERT_TRUE(RunUntil([&] {
      if (Leader() == away) return true;
      if (Leader() != nullptr) {
        On(*Leader())->replica->Transfer(away->node().id()).IgnoreError();
      }
      return false;
    }));
    const broker::ProduceResult again = Produce(0);
    EXPECT_TRUE(again.duplicate) << "after a restart: " << restarted;
    EXPECT_EQ(again.base_offset, stored);
  }
  EXPECT_GT(Produce(1).base_offset, stored);
}

}  // namespace
}  // namespace cairn::sim
