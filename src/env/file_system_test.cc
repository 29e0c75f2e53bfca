// What every FileSystem promises while nothing fails, checked of the real one and of the simulated
// one.
#include "env/file_system.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "env/files.h"
#include "env/posix.h"
#include "env/sim_file_system.h"
#include "env/temporary_directory.h"

namespace cairn::env {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Kind {
  std::string name;
  std::function<std::unique_ptr<FileSystem>()> make;
};

class FileSystemTest : public testing::TestWithParam<Kind> {
 protected:
  FileSystemTest() {
    // The simulated disk is empty: it gets the same directory as the real one.
    EXPECT_TRUE(CreateDirs(*fs_, directory_.path()).ok());
  }

  std::string Path(std::string_view name) const { return directory_.Join(name); }
  std::unique_ptr<File> Create(std::string_view name) {
    return fs_->Open(Path(name), OpenMode::kCreate).value();
  }
  std::string Content(std::string_view name) { return ReadFile(*fs_, Path(name), 1 << 30).value(); }
  std::vector<std::string> Names(std::string_view name) {
    std::vector<std::string> names;
    const std::vector<DirectoryEntry> entries = fs_->List(Path(name)).value();
    for (const DirectoryEntry& entry : entries) {
      names.push_back(entry.name + (entry.is_directory ? "/" : ""));
    }
    return names;
  }
  static absl::Status Write(File& file, uint64_t position, std::string_view text) {
    const std::array<std::string_view, 1> buffers = {text};
    return file.WriteAt(position, buffers);
  }

  const TemporaryDirectory directory_;
  const std::unique_ptr<FileSystem> fs_ = GetParam().make();
};

TEST_P(FileSystemTest, WritesBuffersOneBehindTheOther) {
  const auto file = Create("f");
  const std::vector<std::string_view> buffers = {"ab", "", "cde", "f"};
  ASSERT_TRUE(file->WriteAt(2, buffers).ok());
  EXPECT_EQ(Content("f"), std::string("\0\0abcdef", 8));
}

TEST_P(FileSystemTest, WritesMoreBuffersThanOneSystemCallTakes) {
  const auto file = Create("f");
  std::vector<std::string> texts;
  std::string expected;
  for (int i = 0; i < 5000; ++i) {
    texts.push_back(std::to_string(i) + ",");
    expected += texts.back();
  }
  const std::vector<std::string_view> buffers(texts.begin(), texts.end());
  ASSERT_TRUE(file->WriteAt(0, buffers).ok());
  EXPECT_EQ(Content("f"), expected);
}

TEST_P(FileSystemTest, ReadsFewerBytesOnlyAtTheEnd) {
  const auto file = Create("f");
  ASSERT_TRUE(Write(*file, 0, "0123456789").ok());
  std::array<char, 6> into;
  EXPECT_EQ(file->ReadAt(2, into).value(), 6u);
  EXPECT_EQ(std::string(into.data(), 6), "234567");
  EXPECT_EQ(file->ReadAt(7, into).value(), 3u);
  EXPECT_EQ(file->ReadAt(10, into).value(), 0u);
  EXPECT_EQ(file->ReadAt(1000, into).value(), 0u);
}

TEST_P(FileSystemTest, TruncateCutsAndExtendsWithZeros) {
  const auto file = Create("f");
  ASSERT_TRUE(Write(*file, 0, "abcdef").ok());
  ASSERT_TRUE(file->Truncate(3).ok());
  ASSERT_TRUE(file->Truncate(5).ok());
  EXPECT_EQ(Content("f"), std::string("abc\0\0", 5));
  EXPECT_EQ(file->Size().value(), 5u);
}

TEST_P(FileSystemTest, AllocateExtendsButNeverShrinks) {
  const auto file = Create("f");
  ASSERT_TRUE(Write(*file, 0, "abc").ok());
  ASSERT_TRUE(file->Allocate(0).ok());
  ASSERT_TRUE(file->Allocate(8192).ok());
  EXPECT_EQ(file->Size().value(), 8192u);
  ASSERT_TRUE(file->Allocate(10).ok());
  EXPECT_EQ(file->Size().value(), 8192u);
  EXPECT_EQ(Content("f").substr(0, 4), std::string("abc\0", 4));
}

TEST_P(FileSystemTest, SyncAllGivesEveryFileItsResult) {
  std::vector<std::unique_ptr<File>> owned;
  std::vector<File*> files;
  for (const char* name : {"a", "b", "c"}) {
    owned.push_back(Create(name));
    ASSERT_TRUE(Write(*owned.back(), 0, name).ok());
    files.push_back(owned.back().get());
  }
  std::vector<absl::Status> results(3, absl::UnknownError("not synced"));
  fs_->SyncAll(files, results);
  for (const absl::Status& result : results) EXPECT_TRUE(result.ok()) << result;
}

TEST_P(FileSystemTest, MappingIsSharedWithTheFileAndOutlivesIt) {
  auto file = Create("f");
  ASSERT_TRUE(file->Truncate(4096).ok());
  const auto mapping = file->Map(4096).value();
  ASSERT_TRUE(Write(*file, 3, "w").ok());
  EXPECT_EQ(mapping->bytes()[3], 'w');
  file.reset();
  mapping->bytes()[7] = 'x';
  EXPECT_TRUE(mapping->Sync().ok());
  EXPECT_EQ(Content("f").substr(3, 5), std::string("w\0\0\0x", 5));
}

TEST_P(FileSystemTest, MappingsOfDifferentLengthShareTheirBytes) {
  const auto file = Create("f");
  ASSERT_TRUE(file->Allocate(4096).ok());
  const auto small = file->Map(4096).value();
  small->bytes()[1] = 'a';
  ASSERT_TRUE(file->Allocate(65536).ok());
  const auto large = file->Map(65536).value();
  EXPECT_EQ(large->bytes()[1], 'a');
  large->bytes()[2] = 'b';
  EXPECT_EQ(small->bytes()[2], 'b');
}

TEST_P(FileSystemTest, RefusesToMapWhatIsNotThere) {
  const auto file = Create("f");
  ASSERT_TRUE(Write(*file, 0, "abc").ok());
  EXPECT_TRUE(absl::IsInvalidArgument(file->Map(4).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(file->Map(0).status()));
  const auto read_only = fs_->Open(Path("f"), OpenMode::kReadOnly).value();
  EXPECT_TRUE(absl::IsPermissionDenied(read_only->Map(3).status()));
}

TEST_P(FileSystemTest, WritingThroughAReadOnlyFileIsAnError) {
  Create("f");
  const auto file = fs_->Open(Path("f"), OpenMode::kReadOnly).value();
  EXPECT_TRUE(absl::IsInternal(Write(*file, 0, "x")));
  EXPECT_FALSE(file->Truncate(0).ok());
  EXPECT_FALSE(file->Allocate(10).ok());
}

TEST_P(FileSystemTest, OpenModesDifferInWhatTheyExpect) {
  EXPECT_TRUE(absl::IsNotFound(fs_->Open(Path("f"), OpenMode::kReadOnly).status()));
  EXPECT_TRUE(absl::IsNotFound(fs_->Open(Path("f"), OpenMode::kReadWrite).status()));
  EXPECT_TRUE(fs_->Open(Path("f"), OpenMode::kCreate).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(fs_->Open(Path("f"), OpenMode::kCreate).status()));
  EXPECT_TRUE(fs_->Open(Path("f"), OpenMode::kReadWrite).ok());
  EXPECT_TRUE(
      absl::IsFailedPrecondition(fs_->Open(directory_.path(), OpenMode::kReadWrite).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(fs_->Open(Path("f/x"), OpenMode::kReadOnly).status()));
  EXPECT_TRUE(absl::IsNotFound(fs_->Open(Path("none/x"), OpenMode::kCreate).status()));
}

TEST_P(FileSystemTest, ListsEntriesSortedByName) {
  Create("b");
  Create("a");
  ASSERT_TRUE(fs_->CreateDir(Path("c")).ok());
  EXPECT_THAT(Names(""), ElementsAre("a", "b", "c/"));
  EXPECT_TRUE(absl::IsNotFound(fs_->List(Path("none")).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(fs_->List(Path("a")).status()));
}

TEST_P(FileSystemTest, StatTellsFilesFromDirectories) {
  ASSERT_TRUE(Write(*Create("f"), 0, "abc").ok());
  EXPECT_FALSE(fs_->Stat(Path("f")).value().is_directory);
  EXPECT_EQ(fs_->Stat(Path("f")).value().size_bytes, 3u);
  EXPECT_TRUE(fs_->Stat(directory_.path()).value().is_directory);
  EXPECT_EQ(fs_->Stat(directory_.path()).value().size_bytes, 0u);
  EXPECT_TRUE(absl::IsNotFound(fs_->Stat(Path("none")).status()));
}

TEST_P(FileSystemTest, RemovesOnlyWhatTheCallIsFor) {
  Create("f");
  ASSERT_TRUE(fs_->CreateDir(Path("d")).ok());
  Create("d/f");
  EXPECT_TRUE(absl::IsAlreadyExists(fs_->CreateDir(Path("d"))));
  EXPECT_TRUE(absl::IsFailedPrecondition(fs_->RemoveDir(Path("d"))));
  EXPECT_TRUE(absl::IsFailedPrecondition(fs_->RemoveDir(Path("f"))));
  EXPECT_TRUE(absl::IsFailedPrecondition(fs_->RemoveFile(Path("d"))));
  EXPECT_TRUE(fs_->RemoveFile(Path("d/f")).ok());
  EXPECT_TRUE(fs_->RemoveDir(Path("d")).ok());
  EXPECT_TRUE(absl::IsNotFound(fs_->RemoveFile(Path("d/f"))));
  EXPECT_TRUE(absl::IsNotFound(fs_->RemoveDir(Path("d"))));
  EXPECT_THAT(Names(""), ElementsAre("f"));
}

TEST_P(FileSystemTest, ARemovedFileLivesOnForThoseWhoHaveItOpen) {
  const auto file = Create("f");
  ASSERT_TRUE(fs_->RemoveFile(Path("f")).ok());
  ASSERT_TRUE(Write(*file, 0, "abc").ok());
  EXPECT_EQ(file->Size().value(), 3u);
  EXPECT_TRUE(fs_->Open(Path("f"), OpenMode::kCreate).ok());
}

TEST_P(FileSystemTest, RenameReplacesAFile) {
  ASSERT_TRUE(Write(*Create("a"), 0, "new").ok());
  ASSERT_TRUE(Write(*Create("b"), 0, "old").ok());
  ASSERT_TRUE(fs_->Rename(Path("a"), Path("b")).ok());
  EXPECT_EQ(Content("b"), "new");
  EXPECT_THAT(Names(""), ElementsAre("b"));
  EXPECT_TRUE(fs_->Rename(Path("b"), Path("b")).ok());
  const absl::Status status = fs_->Rename(Path("a"), Path("b"));
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr(Path("a")));
}

TEST_P(FileSystemTest, RenameMovesDirectoriesWithWhatIsInThem) {
  ASSERT_TRUE(fs_->CreateDir(Path("d")).ok());
  ASSERT_TRUE(fs_->CreateDir(Path("e")).ok());
  ASSERT_TRUE(Write(*Create("d/f"), 0, "x").ok());
  ASSERT_TRUE(fs_->Rename(Path("d"), Path("e/d2")).ok());
  EXPECT_EQ(Content("e/d2/f"), "x");
  EXPECT_THAT(Names(""), ElementsAre("e/"));
  EXPECT_FALSE(fs_->Rename(Path("e"), Path("e/d2/inside-itself")).ok());
  Create("file");
  EXPECT_TRUE(absl::IsFailedPrecondition(fs_->Rename(Path("file"), Path("e"))));
  EXPECT_TRUE(absl::IsFailedPrecondition(fs_->Rename(Path("e"), Path("file"))));
  ASSERT_TRUE(fs_->CreateDir(Path("empty")).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(fs_->Rename(Path("empty"), Path("e"))));
  EXPECT_TRUE(fs_->Rename(Path("e"), Path("empty")).ok());
}

TEST_P(FileSystemTest, SyncsDirectoriesOnly) {
  Create("f");
  EXPECT_TRUE(fs_->SyncDir(directory_.path()).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(fs_->SyncDir(Path("f"))));
  EXPECT_TRUE(absl::IsNotFound(fs_->SyncDir(Path("none"))));
}

TEST_P(FileSystemTest, ALockIsHeldByOneAndEndsWithTheObject) {
  auto lock = fs_->Lock(Path("LOCK"));
  ASSERT_TRUE(lock.ok()) << lock.status();
  const absl::Status second = fs_->Lock(Path("LOCK")).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(second));
  EXPECT_THAT(std::string(second.message()), HasSubstr(Path("LOCK")));
  lock->reset();
  EXPECT_TRUE(fs_->Lock(Path("LOCK")).ok());
}

TEST_P(FileSystemTest, KnowsTheFreeSpace) {
  EXPECT_GT(fs_->FreeBytes(directory_.path()).value(), 0u);
  EXPECT_TRUE(absl::IsNotFound(fs_->FreeBytes(Path("none")).status()));
}

INSTANTIATE_TEST_SUITE_P(All, FileSystemTest,
                         testing::Values(Kind{"Posix", [] { return NewPosixFileSystem(); }},
                                         Kind{"Simulated",
                                              [] { return std::make_unique<SimFileSystem>(1); }}),
                         [](const testing::TestParamInfo<Kind>& kind) { return kind.param.name; });

}  // namespace
}  // namespace cairn::env
