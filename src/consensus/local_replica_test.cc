#include "consensus/local_replica.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "base/error_info.h"
#include "env/sim_clock.h"
#include "env/sim_executor.h"
#include "env/sim_file_system.h"
#include "log/records.h"

namespace cairn::consensus {
namespace {

// A disk thread that is always quicker than the next statement of the loop.
class QuickThread final : public env::Executor {
 public:
  void Post(Task task) override { task(); }
  TimerId PostAfter(int64_t, Task) override { return {}; }
  void Cancel(TimerId) override {}
};

class LocalReplicaTest : public ::testing::Test, public Replica::Owner {
 protected:
  LocalReplicaTest() {
    log::LogOptions options;
    options.directory = "/p";
    options.topic_id = base::Uuid::FromRandom(1, 2);
    EXPECT_TRUE(fs_.CreateDir("/p").ok());
    EXPECT_TRUE(log::Log::Create(fs_, clock_, options).ok());
    log::RecoveryReport report;
    auto log = log::Log::Open(fs_, clock_, options, report);
    EXPECT_TRUE(log.ok()) << log.status();
    replica_ = std::make_shared<LocalReplica>(
        LocalReplica::Dependencies{&fs_, &clock_, &loop_, &group_commit_}, *std::move(log), *this);
  }

  void OnCommitted(Offset high_watermark) override {
    events_.push_back("committed " + std::to_string(high_watermark.value()));
  }
  void OnRejected(Offset from, const absl::Status& error) override {
    events_.push_back("rejected from " + std::to_string(from.value()) + " " +
                      base::GetErrorInfo(error)->reason);
  }

  void Propose(uint32_t records) {
    log::BatchBuilder builder;
    for (uint32_t i = 0; i < records; ++i) builder.Add(std::nullopt, "value", 1);
    EXPECT_TRUE(replica_->Propose(builder.Take()).ok());
  }

  // Proposes when the disk has the group before, and before its owner hears of it.
  void ProposeBehindGroup(uint32_t records) {
    const uint64_t syncs = fs_.call_count(env::SimOp::kSync);
    while (fs_.call_count(env::SimOp::kSync) == syncs) ASSERT_TRUE(loop_.RunOne());
    ASSERT_TRUE(events_.empty());
    Propose(records);
  }

  using Events = std::vector<std::string>;

  env::SimFileSystem fs_{1};
  env::SimClock clock_;
  env::SimExecutor loop_{clock_};
  QuickThread disk_;
  GroupCommit group_commit_{fs_, loop_, disk_};
  std::shared_ptr<LocalReplica> replica_;
  Events events_;
};

TEST_F(LocalReplicaTest, WhatIsProposedTogetherIsSyncedTogether) {
  Propose(1);
  Propose(2);
  EXPECT_TRUE(events_.empty());
  loop_.RunUntilIdle();
  EXPECT_EQ(events_, Events{"committed 3"});
  EXPECT_EQ(group_commit_.groups(), 1);
}

TEST_F(LocalReplicaTest, AGroupCommitsNothingOfTheNextOneThatIsAlreadyWritten) {
  Propose(1);
  ProposeBehindGroup(2);
  fs_.FailNext(env::SimOp::kSync, "", env::SimFault::kIoError);
  loop_.RunUntilIdle();
  EXPECT_EQ(events_, (Events{"committed 1", "rejected from 1 DISK_FAILED"}));
  EXPECT_EQ(replica_->next_offset(), Offset(1));
}

TEST_F(LocalReplicaTest, AFailedSyncRejectsEverythingUntilTheLogWasOpenedAgain) {
  Propose(1);
  loop_.RunUntilIdle();  // the segment is there
  fs_.FailNext(env::SimOp::kSync, "", env::SimFault::kIoError);
  Propose(1);
  loop_.RunUntilIdle();
  EXPECT_EQ(events_, (Events{"committed 1", "rejected from 1 DISK_FAILED"}));
  EXPECT_EQ(replica_->Propose({}).status().code(), absl::StatusCode::kUnavailable);

  loop_.RunFor(1'000'000'000);
  Propose(1);
  loop_.RunUntilIdle();
  // The failed sync may have made the record durable after all; then it is committed now.
  const Offset kept = replica_->log()->end_offset();
  EXPECT_EQ(events_.back(), "committed " + std::to_string(kept.value()));
  EXPECT_EQ(replica_->next_offset(), kept);
}

TEST_F(LocalReplicaTest, AFullDiskRejectsAndTheNextProposalTriesAgain) {
  fs_.FailNext(env::SimOp::kWrite, "", env::SimFault::kNoSpace);
  Propose(1);
  loop_.RunUntilIdle();
  EXPECT_EQ(events_, Events{"rejected from 0 DISK_FULL"});
  Propose(2);
  loop_.RunUntilIdle();
  EXPECT_EQ(events_.back(), "committed 2");
}

TEST_F(LocalReplicaTest, StopWaitsForBothGroupsThatAreUnderWay) {
  Propose(1);
  ProposeBehindGroup(2);
  std::optional<absl::Status> stopped;
  replica_->Stop([&](absl::Status status) { stopped = std::move(status); });
  EXPECT_FALSE(stopped.has_value());
  loop_.RunUntilIdle();
  EXPECT_EQ(stopped, absl::OkStatus());
  EXPECT_EQ(events_, (Events{"committed 1", "committed 3"}));
}

}  // namespace
}  // namespace cairn::consensus
