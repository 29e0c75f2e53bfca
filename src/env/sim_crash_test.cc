// What a power cut and a kill leave behind on the simulated disk.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "env/files.h"
#include "env/sim_file_system.h"
#include "env/sim_testing.h"

namespace cairn::env {
namespace {

using testing::UnorderedElementsAre;

using Contents = std::set<std::optional<std::string>>;

std::string Zeros(size_t size) { return std::string(size, '\0'); }

class SimCrashTest : public testing::Test {
 protected:
  SimFileSystem fs_{7};
};

TEST_F(SimCrashTest, SyncedBytesSurviveEveryCrash) {
  const auto file = DurableFile(fs_, "f", "durable");
  ASSERT_TRUE(Write(*file, 7, std::string(10'000, 'x')).ok());
  ForEachCrash(fs_, 500, [](SimFileSystem& image) {
    EXPECT_EQ(Content(image, "f").value().substr(0, 7), "durable");
  });
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_THAT(CrashContents(fs_, "f"), UnorderedElementsAre("durable" + std::string(10'000, 'x')));
}

TEST_F(SimCrashTest, AWriteSurvivesWhollyPartlyOrNotAtAll) {
  const auto file = DurableFile(fs_, "f", std::string(1024, 'o'));
  ASSERT_TRUE(Write(*file, 0, std::string(1024, 'n')).ok());
  const std::string o(512, 'o');
  const std::string n(512, 'n');
  EXPECT_THAT(CrashContents(fs_, "f"), UnorderedElementsAre(o + o, o + n, n + o, n + n));
}

TEST_F(SimCrashTest, WritesTearAtSectorsPagesAndNotAtAll) {
  constexpr size_t kSize = 5 * 4096;
  const auto file = DurableFile(fs_, "f", std::string(kSize, 'o'));
  // Not aligned: the first and the last piece are shorter.
  ASSERT_TRUE(Write(*file, 100, std::string(kSize - 200, 'n')).ok());
  bool tore_at_sector = false;
  bool tore_at_page = false;
  ForEachCrash(fs_, 1000, [&](SimFileSystem& image) {
    const std::string content = Content(image, "f").value();
    ASSERT_EQ(content.size(), kSize);
    for (size_t at = 1; at < kSize; ++at) {
      if (content[at] == content[at - 1]) continue;
      if (at == 100 || at == kSize - 100) continue;
      EXPECT_EQ(at % 512, 0u) << "torn within a sector";
      (at % 4096 == 0 ? tore_at_page : tore_at_sector) = true;
    }
  });
  EXPECT_TRUE(tore_at_sector);
  EXPECT_TRUE(tore_at_page);
}

TEST_F(SimCrashTest, WritesSurviveInAnyOrder) {
  const auto file = DurableFile(fs_, "f", "....");
  ASSERT_TRUE(Write(*file, 0, "a").ok());
  ASSERT_TRUE(Write(*file, 2, "b").ok());
  ASSERT_TRUE(Write(*file, 2, "c").ok());
  EXPECT_THAT(CrashContents(fs_, "f"),
              UnorderedElementsAre("....", "a...", "..b.", "..c.", "a.b.", "a.c."));
}

TEST_F(SimCrashTest, LengthAndDataOfAnAppendAreSeparate) {
  const auto file = DurableFile(fs_, "f", "old");
  ASSERT_TRUE(Write(*file, 3, "new").ok());
  // No data without its length; zeros where the length came without its data.
  EXPECT_THAT(CrashContents(fs_, "f"), UnorderedElementsAre("old", "oldnew", "old" + Zeros(3)));
}

TEST_F(SimCrashTest, ALaterLengthUncoversAnEarlierHole) {
  const auto file = DurableFile(fs_, "f", "");
  ASSERT_TRUE(Write(*file, 0, "a").ok());
  ASSERT_TRUE(Write(*file, 1, "b").ok());
  EXPECT_THAT(CrashContents(fs_, "f"), UnorderedElementsAre("", "a", Zeros(1), Zeros(2), "ab",
                                                            "a" + Zeros(1), Zeros(1) + "b"));
}

TEST_F(SimCrashTest, ALongAppendMayStopInTheMiddle) {
  const auto file = DurableFile(fs_, "f", "");
  ASSERT_TRUE(Write(*file, 0, std::string(2000, 'x')).ok());
  std::set<size_t> lengths;
  for (const auto& content : CrashContents(fs_, "f")) lengths.insert(content->size());
  EXPECT_THAT(lengths, UnorderedElementsAre(0, 512, 1024, 1536, 2000));
}

TEST_F(SimCrashTest, ATruncationMayBeForgotten) {
  const auto file = DurableFile(fs_, "f", "abcd");
  ASSERT_TRUE(file->Truncate(2).ok());
  EXPECT_THAT(CrashContents(fs_, "f"), UnorderedElementsAre("abcd", "ab"));
  // Writing behind it without a sync lets old bytes stand behind new ones.
  ASSERT_TRUE(Write(*file, 2, "X").ok());
  EXPECT_THAT(CrashContents(fs_, "f"),
              UnorderedElementsAre("abcd", "ab", "abX", "abXd", "ab" + Zeros(1)));
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_THAT(CrashContents(fs_, "f"), UnorderedElementsAre("abX"));
}

TEST_F(SimCrashTest, WhatATruncationCutOffDoesNotComeBackOnceItSurvived) {
  const auto file = DurableFile(fs_, "f", "abcd");
  ASSERT_TRUE(file->Truncate(1).ok());
  ASSERT_TRUE(file->Sync().ok());
  ASSERT_TRUE(file->Truncate(4).ok());
  EXPECT_THAT(CrashContents(fs_, "f"), UnorderedElementsAre("a", "a" + Zeros(3)));
}

TEST_F(SimCrashTest, AllocatedLengthMayBeForgotten) {
  const auto file = DurableFile(fs_, "f", "a");
  ASSERT_TRUE(file->Allocate(3).ok());
  EXPECT_THAT(CrashContents(fs_, "f"), UnorderedElementsAre("a", "a" + Zeros(2)));
}

TEST_F(SimCrashTest, EveryMappedPageIsOldOrNewByItself) {
  const auto file = DurableFile(fs_, "f", std::string(3 * 4096, 'o'));
  const auto mapping = file->Map(3 * 4096).value();
  for (const size_t at : {0, 4000, 4096, 3 * 4096 - 1}) mapping->bytes()[at] = 'n';
  std::set<std::string> seen;
  ForEachCrash(fs_, 500, [&](SimFileSystem& image) {
    const std::string content = Content(image, "f").value();
    EXPECT_EQ(content[0], content[4000]) << "a page is torn";
    EXPECT_EQ(content[1], 'o');
    seen.insert({content[0], content[4096], content[3 * 4096 - 1]});
  });
  EXPECT_EQ(seen.size(), 8u);
}

TEST_F(SimCrashTest, StoresAreDurableAfterEitherSync) {
  const auto file = DurableFile(fs_, "f", "..");
  auto mapping = file->Map(2).value();
  mapping->bytes()[0] = 'm';
  ASSERT_TRUE(mapping->Sync().ok());
  EXPECT_THAT(CrashContents(fs_, "f"), UnorderedElementsAre("m."));
  mapping->bytes()[1] = 'f';
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_THAT(CrashContents(fs_, "f"), UnorderedElementsAre("mf"));
}

TEST_F(SimCrashTest, UnmappingMakesNothingDurable) {
  const auto file = DurableFile(fs_, "f", ".");
  file->Map(1).value()->bytes()[0] = 'n';
  EXPECT_EQ(Content(fs_, "f"), "n");
  EXPECT_THAT(CrashContents(fs_, "f"), UnorderedElementsAre(".", "n"));
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_THAT(CrashContents(fs_, "f"), UnorderedElementsAre("n"));
}

TEST_F(SimCrashTest, AMappedFileLosesItsWritesAndStoresSeparately) {
  const auto file = DurableFile(fs_, "f", std::string(8192, '.'));
  const auto mapping = file->Map(8192).value();
  ASSERT_TRUE(Write(*file, 0, "w").ok());
  mapping->bytes()[4096] = 's';
  std::set<std::string> seen;
  for (const auto& content : CrashContents(fs_, "f")) {
    seen.insert({content->at(0), content->at(4096)});
  }
  EXPECT_THAT(seen, UnorderedElementsAre("..", "w.", ".s", "ws"));
}

TEST_F(SimCrashTest, ANewNameMayBeForgottenThoughItsFileWasSynced) {
  const auto file = fs_.Open("f", OpenMode::kCreate).value();
  ASSERT_TRUE(Write(*file, 0, "x").ok());
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_THAT(CrashContents(fs_, "f"), UnorderedElementsAre(std::nullopt, "x"));
  ASSERT_TRUE(fs_.SyncDir("/").ok());
  EXPECT_THAT(CrashContents(fs_, "f"), UnorderedElementsAre("x"));
}

TEST_F(SimCrashTest, ADurableNameSaysNothingAboutTheBytes) {
  const auto file = fs_.Open("f", OpenMode::kCreate).value();
  ASSERT_TRUE(Write(*file, 0, "x").ok());
  ASSERT_TRUE(fs_.SyncDir("/").ok());
  EXPECT_THAT(CrashContents(fs_, "f"), UnorderedElementsAre("", "x", Zeros(1)));
}

TEST_F(SimCrashTest, NamesAreForgottenInAnySubset) {
  for (const char* name : {"a", "b", "c"}) ASSERT_TRUE(fs_.Open(name, OpenMode::kCreate).ok());
  std::set<std::string> seen;
  ForEachCrash(fs_, 500, [&](SimFileSystem& image) {
    std::string names;
    const auto entries = image.List("/").value();
    for (const DirectoryEntry& entry : entries) names += entry.name;
    seen.insert(names);
  });
  EXPECT_EQ(seen.size(), 8u);
}

TEST_F(SimCrashTest, ALostDirectoryTakesItsFilesWithIt) {
  ASSERT_TRUE(fs_.CreateDir("d").ok());
  ASSERT_TRUE(ReplaceFile(fs_, "d/f", "x").ok());  // synced into d, which is not synced itself
  EXPECT_THAT(CrashContents(fs_, "d/f"), UnorderedElementsAre(std::nullopt, "x"));
  ASSERT_TRUE(fs_.SyncDir("/").ok());
  EXPECT_THAT(CrashContents(fs_, "d/f"), UnorderedElementsAre("x"));
}

TEST_F(SimCrashTest, ARemovalMayBeForgotten) {
  DurableFile(fs_, "f", "x");
  ASSERT_TRUE(fs_.RemoveFile("f").ok());
  EXPECT_THAT(CrashContents(fs_, "f"), UnorderedElementsAre(std::nullopt, "x"));
  ASSERT_TRUE(fs_.SyncDir("/").ok());
  EXPECT_THAT(CrashContents(fs_, "f"), UnorderedElementsAre(std::nullopt));
}

TEST_F(SimCrashTest, ANameThatWasReusedIsOneOfItsFiles) {
  DurableFile(fs_, "f", "1");
  ASSERT_TRUE(fs_.RemoveFile("f").ok());
  const auto file = fs_.Open("f", OpenMode::kCreate).value();
  ASSERT_TRUE(Write(*file, 0, "2").ok());
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_THAT(CrashContents(fs_, "f"), UnorderedElementsAre(std::nullopt, "1", "2"));
}

TEST_F(SimCrashTest, ARenameIsTheOldStateOrTheNewOne) {
  DurableFile(fs_, "from", "new");
  DurableFile(fs_, "to", "old");
  ASSERT_TRUE(fs_.Rename("from", "to").ok());
  std::set<std::pair<std::optional<std::string>, std::optional<std::string>>> seen;
  ForEachCrash(fs_, 100, [&](SimFileSystem& image) {
    seen.emplace(Content(image, "from"), Content(image, "to"));
  });
  EXPECT_THAT(seen, UnorderedElementsAre(std::pair("new", "old"), std::pair(std::nullopt, "new")));
  ASSERT_TRUE(fs_.SyncDir("/").ok());
  EXPECT_THAT(CrashContents(fs_, "to"), UnorderedElementsAre("new"));
}

TEST_F(SimCrashTest, ARenameBetweenDirectoriesIsSyncedOnBothSides) {
  ASSERT_TRUE(CreateDirs(fs_, "a").ok());
  ASSERT_TRUE(CreateDirs(fs_, "b").ok());
  ASSERT_TRUE(ReplaceFile(fs_, "a/f", "x").ok());
  ASSERT_TRUE(fs_.Rename("a/f", "b/f").ok());
  ASSERT_TRUE(fs_.SyncDir("b").ok());
  EXPECT_THAT(CrashContents(fs_, "b/f"), UnorderedElementsAre("x"));
  EXPECT_THAT(CrashContents(fs_, "a/f"), UnorderedElementsAre(std::nullopt, "x"));
  // When both names survive they are names of one file.
  const auto image = fs_.CrashImage(CrashChoice::DropAll());
  ASSERT_TRUE(Write(*image->Open("a/f", OpenMode::kReadWrite).value(), 0, "y").ok());
  EXPECT_EQ(Content(*image, "b/f"), "y");
  ASSERT_TRUE(fs_.SyncDir("a").ok());
  EXPECT_THAT(CrashContents(fs_, "a/f"), UnorderedElementsAre(std::nullopt));
}

TEST_F(SimCrashTest, AMovedDirectoryIsNeverInTwoPlaces) {
  ASSERT_TRUE(CreateDirs(fs_, "a/d").ok());
  ASSERT_TRUE(CreateDirs(fs_, "b").ok());
  ASSERT_TRUE(fs_.Rename("a/d", "b/d").ok());
  ForEachCrash(fs_, 50, [](SimFileSystem& image) {
    EXPECT_NE(image.Stat("a/d").ok(), image.Stat("b/d").ok());
  });
  ASSERT_TRUE(fs_.SyncDir("b").ok());
  ForEachCrash(fs_, 50, [](SimFileSystem& image) {
    EXPECT_FALSE(image.Stat("a/d").ok());
    EXPECT_TRUE(image.Stat("b/d").ok());
  });
}

TEST_F(SimCrashTest, SimpleCrashesAreWhatTheySay) {
  const auto file = DurableFile(fs_, "f", "ab");
  ASSERT_TRUE(Write(*file, 0, "X").ok());
  ASSERT_TRUE(Write(*file, 1, "Y").ok());
  ASSERT_TRUE(fs_.Open("g", OpenMode::kCreate).ok());
  ASSERT_TRUE(fs_.Open("h", OpenMode::kCreate).ok());
  const auto drop_all = fs_.CrashImage(CrashChoice::DropAll());
  EXPECT_EQ(Content(*drop_all, "f"), "ab");
  EXPECT_EQ(drop_all->List("/").value().size(), 1u);
  const auto keep_all = fs_.CrashImage(CrashChoice::KeepAll());
  EXPECT_EQ(Content(*keep_all, "f"), "XY");
  EXPECT_EQ(keep_all->List("/").value().size(), 3u);
  const auto keep_last = fs_.CrashImage(CrashChoice::KeepLast());
  EXPECT_EQ(Content(*keep_last, "f"), "aY");
  EXPECT_EQ(Content(*keep_last, "g"), std::nullopt);
  EXPECT_EQ(Content(*keep_last, "h"), "");
}

// Disks mostly lose everything after some moment and little before it. Independent coins would give
// that state once in 2^40 crashes here.
TEST_F(SimCrashTest, EverythingUpToAMomentSurvivesOftenEnough) {
  const auto file = DurableFile(fs_, "f", std::string(40, '.'));
  for (size_t i = 0; i < 40; ++i) ASSERT_TRUE(Write(*file, i, "x").ok());
  std::set<size_t> prefixes;
  for (const auto& content : CrashContents(fs_, "f", 3000)) {
    const size_t kept = static_cast<size_t>(std::ranges::count(*content, 'x'));
    if (*content == std::string(kept, 'x') + std::string(40 - kept, '.')) prefixes.insert(kept);
  }
  EXPECT_GT(prefixes.size(), 30u);
}

TEST_F(SimCrashTest, TheSameSeedGivesTheSameState) {
  const auto file = DurableFile(fs_, "f", "");
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Write(*file, i * 700, std::string(700, 'x')).ok());
  Contents different;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const auto content = Content(*fs_.CrashImage(CrashChoice::Random(seed)), "f");
    EXPECT_EQ(content, Content(*fs_.CrashImage(CrashChoice::Random(seed)), "f"));
    different.insert(content);
  }
  EXPECT_GT(different.size(), 30u);
}

TEST_F(SimCrashTest, AnImageAndItsOriginalDoNotSeeEachOther) {
  const auto file = DurableFile(fs_, "f", "shared");
  const auto crashed = fs_.CrashImage(CrashChoice::KeepAll());
  const auto killed = fs_.KillImage();
  ASSERT_TRUE(Write(*file, 0, "1").ok());
  ASSERT_TRUE(Write(*crashed->Open("f", OpenMode::kReadWrite).value(), 0, "2").ok());
  ASSERT_TRUE(Write(*killed->Open("f", OpenMode::kReadWrite).value(), 0, "3").ok());
  ASSERT_TRUE(killed->RemoveFile("f").ok());
  EXPECT_EQ(Content(fs_, "f"), "1hared");
  EXPECT_EQ(Content(*crashed, "f"), "2hared");
  EXPECT_THAT(CrashContents(*crashed, "f"), UnorderedElementsAre("shared", "2hared"));
  EXPECT_THAT(CrashContents(*killed, "f"), UnorderedElementsAre("shared", "3hared", std::nullopt));
}

TEST_F(SimCrashTest, AnImageIsDurableAsItIs) {
  const auto file = DurableFile(fs_, "f", "");
  ASSERT_TRUE(Write(*file, 0, std::string(4000, 'x')).ok());
  ASSERT_TRUE(fs_.Open("g", OpenMode::kCreate).ok());
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const auto image = fs_.CrashImage(CrashChoice::Random(seed));
    EXPECT_THAT(CrashContents(*image, "f", 5), UnorderedElementsAre(Content(*image, "f")));
    EXPECT_THAT(CrashContents(*image, "g", 5), UnorderedElementsAre(Content(*image, "g")));
  }
}

TEST_F(SimCrashTest, WhatWasOpenIsDeadAfterACrash) {
  const auto file = DurableFile(fs_, "f", "abc");
  const auto mapping = file->Map(3).value();
  const auto lock = fs_.Lock("LOCK").value();
  fs_.Crash(CrashChoice::KeepAll());
  char byte;
  EXPECT_TRUE(absl::IsInternal(file->ReadAt(0, {&byte, 1}).status()));
  EXPECT_TRUE(absl::IsInternal(Write(*file, 0, "x")));
  EXPECT_TRUE(absl::IsInternal(file->Sync()));
  EXPECT_TRUE(absl::IsInternal(file->Size().status()));
  EXPECT_TRUE(absl::IsInternal(file->Truncate(0)));
  EXPECT_TRUE(absl::IsInternal(file->Allocate(9)));
  EXPECT_TRUE(absl::IsInternal(file->Map(1).status()));
  EXPECT_TRUE(absl::IsInternal(mapping->Sync()));
  mapping->bytes()[0] = 'x';
  EXPECT_EQ(Content(fs_, "f"), "abc");
  EXPECT_TRUE(fs_.Lock("LOCK").ok());
}

TEST_F(SimCrashTest, AHandleOfBeforeTheCrashDoesNotTouchThatOfAfter) {
  auto lock = fs_.Lock("LOCK").value();
  fs_.Crash(CrashChoice::KeepAll());
  const auto fresh = fs_.Lock("LOCK").value();
  lock.reset();
  EXPECT_FALSE(fs_.Lock("LOCK").ok());
}

TEST_F(SimCrashTest, AKillLosesNothingAndSyncsNothing) {
  const auto file = DurableFile(fs_, "f", "..");
  const auto mapping = file->Map(2).value();
  ASSERT_TRUE(Write(*file, 0, "w").ok());
  mapping->bytes()[1] = 's';
  ASSERT_TRUE(fs_.Open("g", OpenMode::kCreate).ok());
  fs_.Kill();
  EXPECT_TRUE(absl::IsInternal(file->Sync()));
  EXPECT_EQ(Content(fs_, "f"), "ws");
  EXPECT_EQ(Content(fs_, "g"), "");
  // The page goes to the disk as a whole, with the written byte in it.
  EXPECT_THAT(CrashContents(fs_, "f"), UnorderedElementsAre("..", "w.", "ws"));
  EXPECT_THAT(CrashContents(fs_, "g"), UnorderedElementsAre(std::nullopt, ""));
  ASSERT_TRUE(fs_.Open("f", OpenMode::kReadWrite).value()->Sync().ok());
  EXPECT_THAT(CrashContents(fs_, "f"), UnorderedElementsAre("ws"));
}

TEST_F(SimCrashTest, AKillImageDoesNotFollowLaterStores) {
  const auto file = DurableFile(fs_, "f", ".");
  const auto mapping = file->Map(1).value();
  mapping->bytes()[0] = '1';
  const auto image = fs_.KillImage();
  mapping->bytes()[0] = '2';
  EXPECT_EQ(Content(*image, "f"), "1");
  EXPECT_THAT(CrashContents(*image, "f"), UnorderedElementsAre(".", "1"));
}

TEST_F(SimCrashTest, TheHookComesBeforeEveryMutation) {
  std::vector<std::string> before;  // what the disk held, per mutation
  fs_.SetMutationHook([&](const SimCall& call) {
    before.push_back(std::string(call.path) + "=" + Content(fs_, "f").value_or("none"));
  });
  const auto file = DurableFile(fs_, "f", "a");
  EXPECT_THAT(before, testing::ElementsAre("f=none", "f=", "f=a", "/=a"));
  fs_.SetMutationHook(nullptr);
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_EQ(before.size(), 4u);
}

TEST_F(SimCrashTest, ACrashFromTheHookStopsTheCall) {
  const auto file = DurableFile(fs_, "f", "a");
  fs_.SetMutationHook([&](const SimCall& call) {
    if (call.op == SimOp::kSync || call.op == SimOp::kRemoveFile) {
      fs_.Crash(CrashChoice::DropAll());
    }
  });
  ASSERT_TRUE(Write(*file, 0, "b").ok());
  EXPECT_TRUE(absl::IsInternal(file->Sync()));
  EXPECT_EQ(Content(fs_, "f"), "a");
  EXPECT_TRUE(absl::IsInternal(fs_.RemoveFile("f")));
  EXPECT_EQ(Content(fs_, "f"), "a");
}

TEST_F(SimCrashTest, AFlippedBitIsInTheCacheAndOnTheDisk) {
  const auto file = DurableFile(fs_, "f", "a");
  ASSERT_TRUE(fs_.FlipBit("f", 1).ok());
  EXPECT_EQ(Content(fs_, "f"), "c");
  EXPECT_THAT(CrashContents(fs_, "f"), UnorderedElementsAre("c"));
  EXPECT_TRUE(absl::IsOutOfRange(fs_.FlipBit("f", 8)));
  EXPECT_TRUE(absl::IsNotFound(fs_.FlipBit("none", 0)));
}

// The pattern that everything small in cairn is stored with, at every moment of its life.
TEST_F(SimCrashTest, ReplaceFileIsOldOrNewAtEveryMoment) {
  ASSERT_TRUE(CreateDirs(fs_, "data/sub").ok());
  ASSERT_TRUE(ReplaceFile(fs_, "data/sub/f", std::string(3000, 'o')).ok());
  Contents seen;
  int moments = 0;
  fs_.SetMutationHook([&](const SimCall&) {
    ++moments;
    seen.merge(CrashContents(fs_, "data/sub/f", 300));
  });
  ASSERT_TRUE(ReplaceFile(fs_, "data/sub/f", std::string(5000, 'n')).ok());
  EXPECT_EQ(moments, 5);  // create, write, sync, rename, sync of the directory
  EXPECT_THAT(seen, UnorderedElementsAre(std::string(3000, 'o'), std::string(5000, 'n')));
  fs_.SetMutationHook(nullptr);
  EXPECT_THAT(CrashContents(fs_, "data/sub/f"), UnorderedElementsAre(std::string(5000, 'n')));
}

}  // namespace
}  // namespace cairn::env
