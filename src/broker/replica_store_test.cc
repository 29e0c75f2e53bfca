// A replica that is made while the disk fails: what is used afterwards survives a power cut.
#include "broker/replica_store.h"

#include <gtest/gtest.h>

#include "env/sim_clock.h"
#include "env/sim_executor.h"
#include "env/sim_file_system.h"
#include "env/sim_key_value_store.h"

namespace cairn::broker {
namespace {

constexpr char kDirectory[] = "/data/topics";

ReplicaSpec TestSpec() {
  ReplicaSpec spec;
  spec.topic.name = "orders";
  spec.partition = PartitionId(0);
  spec.group = GroupId(uint64_t{7} << 16);
  spec.founders = consensus::Configuration::OfVoters({NodeId(1)});
  return spec;
}

class ReplicaStoreTest : public ::testing::Test {
 protected:
  ReplicaStoreTest() {
    EXPECT_TRUE(fs_.CreateDir("/data").ok());
    EXPECT_TRUE(fs_.SyncDir("/").ok());
    EXPECT_TRUE(fs_.CreateDir(kDirectory).ok());
    EXPECT_TRUE(fs_.SyncDir("/data").ok());
  }

  absl::Status Open() {
    log::RecoveryReport report;
    return store_.Open(TestSpec(), nullptr, report).status();
  }

  env::SimFileSystem fs_{1};
  env::SimClock clock_;
  env::SimKeyValueStore pairs_;
  env::SimExecutor disk_{clock_};
  consensus::StableStore stable_{pairs_, disk_};
  ReplicaStore store_{fs_, clock_, stable_, kDirectory};
};

// Each directory sync of a creation fails in turn, and what is to undo it right afterwards, too; a
// later attempt makes what the first dropped.
TEST_F(ReplicaStoreTest, WhatALaterAttemptMadeSurvivesAPowerCut) {
  for (const int further_failures : {0, 1, 2}) {
    bool failed = true;
    for (int skipped = 0; failed; ++skipped) {
      int syncs = 0;
      int failures = 0;
      failed = false;
      fs_.SetFaultInjector([&](const env::SimCall& call) {
        if (!failed && (call.op != env::SimOp::kSyncDir || syncs++ != skipped)) {
          return env::SimFault::kNone;
        }
        failed = true;
        return failures++ <= further_failures ? env::SimFault::kIoError : env::SimFault::kNone;
      });
      const absl::Status first = Open();
      EXPECT_EQ(first.ok(), !failed) << first;
      for (int attempt = 0; attempt <= further_failures && failed; ++attempt) {
        if (Open().ok()) break;
      }
      fs_.ClearFaults();
      ASSERT_TRUE(Open().ok()) << "sync " << skipped << ", " << further_failures << " more";
      fs_.Crash(env::CrashChoice::DropAll());
      EXPECT_TRUE(store_.Holds(TestSpec().group)) << "sync " << skipped;
      ASSERT_TRUE(store_.Remove(TestSpec().group).ok());
    }
  }
}

// A removal whose sync failed and that was tried again: seeds 34 and 127 of ten minutes. The
// directory came back with the next power cut, and nobody knew what the replica had promised.
TEST_F(ReplicaStoreTest, ARemovalTriedAgainSurvivesAPowerCut) {
  for (const int failures : {1, 2}) {
    ASSERT_TRUE(Open().ok());
    int syncs = 0;
    fs_.SetFaultInjector([&](const env::SimCall& call) {
      if (call.op != env::SimOp::kSyncDir || syncs++ >= failures) return env::SimFault::kNone;
      return env::SimFault::kIoError;
    });
    for (int i = 0; i < failures; ++i) EXPECT_FALSE(store_.Remove(TestSpec().group).ok());
    ASSERT_TRUE(store_.Remove(TestSpec().group).ok());
    fs_.ClearFaults();
    fs_.Crash(env::CrashChoice::DropAll());
    const auto groups = store_.Load();
    ASSERT_TRUE(groups.ok()) << groups.status();
    EXPECT_TRUE(groups->empty()) << "after " << failures << " failures";
    EXPECT_FALSE(store_.Holds(TestSpec().group));
  }
}

// The files of a replica that was removed may stay when the disk fails; it may come back before
// they are gone.
TEST_F(ReplicaStoreTest, WhatIsLeftOfARemovedReplicaTakesNothingFromTheNextOne) {
  ASSERT_TRUE(Open().ok());
  bool failed = false;
  fs_.SetFaultInjector([&](const env::SimCall& call) {
    failed = failed || call.op == env::SimOp::kRemoveFile;
    return call.op == env::SimOp::kRemoveFile ? env::SimFault::kIoError : env::SimFault::kNone;
  });
  EXPECT_FALSE(store_.Remove(TestSpec().group).ok());
  EXPECT_TRUE(failed);
  fs_.ClearFaults();
  ASSERT_TRUE(Open().ok());
  const auto groups = store_.Load();
  ASSERT_TRUE(groups.ok()) << groups.status();
  EXPECT_EQ(groups->size(), 1U);
  EXPECT_TRUE(Open().ok()) << "what it promised is forgotten";
  EXPECT_TRUE(store_.Remove(TestSpec().group).ok());
}

TEST_F(ReplicaStoreTest, WhoIsTakenInAgainKnowsWhatItForgot) {
  const GroupId group = TestSpec().group;
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(stable_.Depart(group, {Term(5), Index(40)}).ok());
  ASSERT_TRUE(store_.Remove(group).ok());
  ReplicaSpec joins = TestSpec();
  joins.founders = {};
  for (const bool again : {false, true}) {
    log::RecoveryReport report;
    const auto opened = store_.Open(joins, nullptr, report);
    ASSERT_TRUE(opened.ok() && opened->state.ok()) << opened.status();
    EXPECT_EQ(opened->state->forgot_up_to, Index(40)) << again;
    EXPECT_EQ(opened->state->term, Term(5)) << again;
    EXPECT_EQ(opened->state->vote, NodeId()) << again;
    EXPECT_EQ(opened->state->last_index, Index()) << again;
  }
}

// Whoever restores the directory of a replica that took part finds it as it was.
TEST_F(ReplicaStoreTest, WhatWasGoneAndIsRestoredIsNotUndone) {
  ASSERT_TRUE(Open().ok());
  consensus::StableStore::Changes voted(TestSpec().group);
  voted.SetVote(Term(5), NodeId(1));
  ASSERT_TRUE(stable_.WriteNow(std::move(voted)).ok());
  const std::string replica = "/data/topics/orders~7/0";
  ASSERT_TRUE(fs_.Rename(replica, "/data/elsewhere").ok());
  EXPECT_TRUE(absl::IsDataLoss(Open()));
  ASSERT_TRUE(fs_.Rename("/data/elsewhere", replica).ok());
  const auto files = fs_.List(replica);
  ASSERT_TRUE(files.ok() && !files->empty());
  EXPECT_TRUE(Open().ok());
  EXPECT_TRUE(store_.Holds(TestSpec().group));
}

// The process ended between making a replica and syncing it; the next one uses it.
TEST_F(ReplicaStoreTest, WhatIsOpenedSurvivesAPowerCutThoughItsMakerDidNotLive) {
  bool renamed = false;
  fs_.SetMutationHook([&](const env::SimCall& call) {
    if (renamed && call.op == env::SimOp::kSyncDir) fs_.Kill();
    renamed = renamed || call.op == env::SimOp::kRename;
  });
  EXPECT_FALSE(Open().ok());
  fs_.SetMutationHook(nullptr);
  ReplicaStore next(fs_, clock_, stable_, kDirectory);
  ASSERT_TRUE(next.Load().ok());
  log::RecoveryReport report;
  ASSERT_TRUE(next.Open(TestSpec(), nullptr, report).ok());
  fs_.Crash(env::CrashChoice::DropAll());
  EXPECT_TRUE(store_.Holds(TestSpec().group));
}

}  // namespace
}  // namespace cairn::broker
