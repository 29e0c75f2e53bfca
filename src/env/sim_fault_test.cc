// Calls of the simulated disk that fail.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

#include "env/files.h"
#include "env/sim_file_system.h"
#include "env/sim_testing.h"

namespace cairn::env {
namespace {

using testing::HasSubstr;
using testing::UnorderedElementsAre;

class SimFaultTest : public testing::Test {
 protected:
  SimFileSystem fs_{7};
};

TEST_F(SimFaultTest, FailsTheCallWithAGivenNumber) {
  fs_.FailCall(2, SimFault::kIoError);
  EXPECT_TRUE(fs_.CreateDir("a").ok());
  const absl::Status failed = fs_.CreateDir("b");
  EXPECT_TRUE(absl::IsInternal(failed));
  EXPECT_THAT(std::string(failed.message()), HasSubstr("create directory b"));
  EXPECT_TRUE(fs_.CreateDir("b").ok());
  EXPECT_EQ(fs_.call_count(), 3u);
  EXPECT_EQ(fs_.call_count(SimOp::kCreateDir), 3u);
}

TEST_F(SimFaultTest, FailsByOperationAndPath) {
  const auto a = DurableFile(fs_, "a.store", "x");
  const auto b = DurableFile(fs_, "b.index", "x");
  fs_.FailNext(SimOp::kWrite, ".store", SimFault::kNoSpace, 2);
  EXPECT_TRUE(Write(*b, 0, "y").ok());
  EXPECT_TRUE(absl::IsResourceExhausted(Write(*a, 0, "y")));
  EXPECT_TRUE(a->Sync().ok());
  EXPECT_TRUE(absl::IsResourceExhausted(Write(*a, 0, "y")));
  EXPECT_TRUE(Write(*a, 0, "y").ok());
}

TEST_F(SimFaultTest, FailsByAnInjectorOfTheTests) {
  fs_.SetFaultInjector([](const SimCall& call) {
    return call.op == SimOp::kStat && call.path == "f" ? SimFault::kIoError : SimFault::kNone;
  });
  const auto file = DurableFile(fs_, "f", "x");
  EXPECT_TRUE(absl::IsInternal(fs_.Stat("f").status()));
  EXPECT_TRUE(fs_.Stat("/").ok());
  fs_.ClearFaults();
  EXPECT_TRUE(fs_.Stat("f").ok());
}

TEST_F(SimFaultTest, EveryCallCanFailAndThenChangesNothing) {
  const auto file = DurableFile(fs_, "f", "abc");
  ASSERT_TRUE(CreateDirs(fs_, "d").ok());
  fs_.SetFaultInjector([](const SimCall&) { return SimFault::kIoError; });
  char byte;
  EXPECT_TRUE(absl::IsInternal(fs_.Open("f", OpenMode::kReadOnly).status()));
  EXPECT_TRUE(absl::IsInternal(fs_.Open("new", OpenMode::kCreate).status()));
  EXPECT_TRUE(absl::IsInternal(file->ReadAt(0, {&byte, 1}).status()));
  EXPECT_TRUE(absl::IsInternal(Write(*file, 0, "x")));
  EXPECT_TRUE(absl::IsInternal(file->Truncate(1)));
  EXPECT_TRUE(absl::IsInternal(file->Allocate(10)));
  EXPECT_TRUE(absl::IsInternal(file->Size().status()));
  EXPECT_TRUE(absl::IsInternal(file->Map(3).status()));
  EXPECT_TRUE(absl::IsInternal(fs_.Stat("f").status()));
  EXPECT_TRUE(absl::IsInternal(fs_.List("/").status()));
  EXPECT_TRUE(absl::IsInternal(fs_.CreateDir("e")));
  EXPECT_TRUE(absl::IsInternal(fs_.RemoveFile("f")));
  EXPECT_TRUE(absl::IsInternal(fs_.RemoveDir("d")));
  EXPECT_TRUE(absl::IsInternal(fs_.Rename("f", "g")));
  EXPECT_TRUE(absl::IsInternal(fs_.Lock("LOCK").status()));
  EXPECT_TRUE(absl::IsInternal(fs_.FreeBytes("/").status()));
  fs_.ClearFaults();
  EXPECT_EQ(Content(fs_, "f"), "abc");
  EXPECT_EQ(fs_.List("/").value().size(), 2u);
}

TEST_F(SimFaultTest, AShortWriteLeavesAFirstPart) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    SimFileSystem fs(i);
    const auto file = DurableFile(fs, "f", "");
    fs.FailNext(SimOp::kWrite, "f", SimFault::kShortWrite);
    EXPECT_TRUE(absl::IsInternal(Write(*file, 0, "abc")));
    seen.insert(Content(fs, "f").value());
  }
  EXPECT_THAT(seen, UnorderedElementsAre("", "a", "ab"));
}

TEST_F(SimFaultTest, WhatAFailedSyncDroppedIsNotSyncedByTheNextOne) {
  bool dropped_though_read = false;
  bool evicted = false;
  bool survived = false;
  for (int i = 0; i < 100; ++i) {
    SimFileSystem fs(i);
    const auto file = DurableFile(fs, "f", ".");
    ASSERT_TRUE(Write(*file, 0, "x").ok());
    fs.FailNext(SimOp::kSync, "f", SimFault::kIoError);
    ASSERT_TRUE(absl::IsInternal(file->Sync()));
    const std::string cached = Content(fs, "f").value();
    ASSERT_TRUE(file->Sync().ok()) << "the kernel reports the error once";
    const std::string durable = Content(*fs.CrashImage(CrashChoice::KeepAll()), "f").value();
    dropped_though_read |= cached == "x" && durable == ".";
    evicted |= cached == ".";
    survived |= durable == "x";
  }
  EXPECT_TRUE(dropped_though_read);
  EXPECT_TRUE(evicted);
  EXPECT_TRUE(survived);
}

TEST_F(SimFaultTest, AFailedSyncOfAMappingDropsItsStores) {
  bool dropped = false;
  bool survived = false;
  for (int i = 0; i < 100; ++i) {
    SimFileSystem fs(i);
    const auto file = DurableFile(fs, "f", ".");
    const auto mapping = file->Map(1).value();
    mapping->bytes()[0] = 'x';
    fs.FailNext(SimOp::kMappingSync, "f", SimFault::kIoError);
    ASSERT_TRUE(absl::IsInternal(mapping->Sync()));
    ASSERT_TRUE(mapping->Sync().ok());
    const std::string durable = Content(*fs.CrashImage(CrashChoice::KeepAll()), "f").value();
    (durable == "x" ? survived : dropped) = true;
  }
  EXPECT_TRUE(dropped);
  EXPECT_TRUE(survived);
}

TEST_F(SimFaultTest, AFailedSyncOfADirectoryDropsNamesForGood) {
  bool dropped = false;
  bool survived = false;
  for (int i = 0; i < 100; ++i) {
    SimFileSystem fs(i);
    ASSERT_TRUE(fs.Open("f", OpenMode::kCreate).ok());
    fs.FailNext(SimOp::kSyncDir, "/", SimFault::kIoError);
    ASSERT_TRUE(absl::IsInternal(fs.SyncDir("/")));
    ASSERT_TRUE(fs.SyncDir("/").ok());
    EXPECT_TRUE(Content(fs, "f").has_value());
    const bool kept = Content(*fs.CrashImage(CrashChoice::KeepAll()), "f").has_value();
    (kept ? survived : dropped) = true;
  }
  EXPECT_TRUE(dropped);
  EXPECT_TRUE(survived);
}

TEST_F(SimFaultTest, AFullDiskTakesWhatFitsAndRecovers) {
  const auto file = DurableFile(fs_, "f", "abc");
  fs_.SetFreeBytes(2);
  EXPECT_EQ(fs_.FreeBytes("/").value(), 2u);
  EXPECT_TRUE(Write(*file, 1, "BC").ok()) << "overwriting needs no space";
  EXPECT_TRUE(absl::IsResourceExhausted(Write(*file, 3, "defg")));
  EXPECT_EQ(Content(fs_, "f"), "aBCde");
  EXPECT_EQ(fs_.FreeBytes("/").value(), 0u);
  EXPECT_TRUE(absl::IsResourceExhausted(file->Allocate(100)));
  EXPECT_TRUE(file->Truncate(100).ok()) << "a hole needs no space";
  EXPECT_TRUE(file->Truncate(3).ok());
  EXPECT_EQ(fs_.FreeBytes("/").value(), 2u);
  EXPECT_TRUE(Write(*file, 3, "de").ok());
  fs_.SetFreeBytes(1000);
  EXPECT_TRUE(Write(*file, 3, "defg").ok());
  EXPECT_TRUE(file->Allocate(1000).ok());
  EXPECT_EQ(fs_.FreeBytes("/").value(), 5u);
}

TEST_F(SimFaultTest, RemovedFilesGiveTheirSpaceBackWhenTheLastUserCloses) {
  auto file = DurableFile(fs_, "f", "abc");
  fs_.SetFreeBytes(0);
  ASSERT_TRUE(fs_.RemoveFile("f").ok());
  EXPECT_EQ(fs_.FreeBytes("/").value(), 0u);
  file.reset();
  EXPECT_EQ(fs_.FreeBytes("/").value(), 3u);
  DurableFile(fs_, "g", "ab");
  DurableFile(fs_, "h", "c");
  EXPECT_EQ(fs_.FreeBytes("/").value(), 0u);
  ASSERT_TRUE(fs_.Rename("h", "g").ok());
  EXPECT_EQ(fs_.FreeBytes("/").value(), 2u);
  EXPECT_EQ(fs_.CrashImage(CrashChoice::DropAll())->FreeBytes("/").value(), 0u);
  EXPECT_EQ(fs_.KillImage()->FreeBytes("/").value(), 2u);
}

// Whatever call fails, ReplaceFile says so, and the file is the old or the new one.
TEST_F(SimFaultTest, ReplaceFileSurvivesAFaultInAnyCall) {
  int failures = 0;
  for (const SimFault fault : {SimFault::kIoError, SimFault::kNoSpace, SimFault::kShortWrite}) {
    for (uint64_t number = 1;; ++number) {
      SimFileSystem fs(number);
      ASSERT_TRUE(ReplaceFile(fs, "f", "old").ok());
      const uint64_t before = fs.call_count();
      fs.FailCall(before + number, fault);
      const absl::Status status = ReplaceFile(fs, "f", "new");
      if (fs.call_count() < before + number) {
        EXPECT_TRUE(status.ok());
        break;
      }
      EXPECT_FALSE(status.ok());
      ++failures;
      for (const auto& content : CrashContents(fs, "f", 50)) {
        EXPECT_TRUE(content == "old" || content == "new") << content.value_or("none");
      }
    }
  }
  EXPECT_EQ(failures, 15);
}

}  // namespace
}  // namespace cairn::env
