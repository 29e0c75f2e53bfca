#include "cluster/metadata_snapshot.h"

#include <gtest/gtest.h>

#include "env/sim_file_system.h"

namespace cairn::cluster {
namespace {

Metadata WithGrace(int64_t grace_ms) {
  Metadata metadata;
  metadata.settings.grace_ms = grace_ms;
  return metadata;
}

class MetadataSnapshotTest : public testing::Test {
 protected:
  absl::Status Write(MetadataSnapshotFile& file, uint64_t applied, int64_t grace_ms) {
    return file.Write(Offset(applied),
                      MetadataSnapshot::Encode(Offset(applied), WithGrace(grace_ms)));
  }
  // As the next run of the program does.
  absl::StatusOr<MetadataSnapshot> Load() { return MetadataSnapshotFile(fs_, "snapshot").Load(); }

  env::SimFileSystem fs_{1};
};

TEST_F(MetadataSnapshotTest, ThereIsNoneAtFirst) {
  EXPECT_EQ(Load()->applied, Offset());
  EXPECT_EQ(Load()->metadata, Metadata());
}

TEST_F(MetadataSnapshotTest, ComesBack) {
  MetadataSnapshotFile file(fs_, "snapshot");
  ASSERT_TRUE(Write(file, 7, 70'000).ok());
  EXPECT_EQ(Load()->applied, Offset(7));
  EXPECT_EQ(Load()->metadata, WithGrace(70'000));
}

// A compaction and a snapshot from the leader meet in the writer's queue in any order.
TEST_F(MetadataSnapshotTest, AnOlderOneDoesNotTakeTheNewersPlace) {
  MetadataSnapshotFile file(fs_, "snapshot");
  ASSERT_TRUE(Write(file, 7, 70'000).ok());
  ASSERT_TRUE(Write(file, 6, 60'000).ok());
  EXPECT_EQ(Load()->applied, Offset(7));
  MetadataSnapshotFile again(fs_, "snapshot");
  ASSERT_TRUE(again.Load().ok());
  ASSERT_TRUE(Write(again, 6, 60'000).ok());
  EXPECT_EQ(Load()->applied, Offset(7));
  ASSERT_TRUE(Write(again, 8, 80'000).ok());
  EXPECT_EQ(Load()->metadata, WithGrace(80'000));
}

TEST_F(MetadataSnapshotTest, OneFlippedBitIsMendedAndTwoAreDataLoss) {
  MetadataSnapshotFile file(fs_, "snapshot");
  ASSERT_TRUE(Write(file, 7, 70'000).ok());
  const uint64_t bits = fs_.Stat("snapshot")->size_bytes * 8;
  for (const uint64_t bit : {uint64_t{240}, bits - 240}) {
    ASSERT_TRUE(fs_.FlipBit("snapshot", bit).ok());
    EXPECT_EQ(Load()->metadata, WithGrace(70'000));
  }
  ASSERT_TRUE(fs_.FlipBit("snapshot", 240).ok());
  ASSERT_TRUE(fs_.FlipBit("snapshot", bits - 240).ok());
  EXPECT_TRUE(absl::IsDataLoss(Load().status())) << Load().status();
}

TEST_F(MetadataSnapshotTest, WhatAPeerSendsInsteadIsRefused) {
  for (const std::string text :
       {"", "\n", "cairn-metadata 1 applied", "cairn-metadata 1 applied x\n{}\n",
        "cairn-metadata 1 applied 7\n", "cairn-metadata 1 applied 7\nnot JSON\n"}) {
    EXPECT_FALSE(MetadataSnapshot::Decode(text).ok()) << text;
  }
}

}  // namespace
}  // namespace cairn::cluster
