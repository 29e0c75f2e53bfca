#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "env/files.h"
#include "env/posix.h"
#include "env/posix_error.h"
#include "env/temporary_directory.h"

namespace cairn::env {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class PosixFileSystemTest : public testing::Test {
 protected:
  std::vector<std::string> Names(const std::string& directory) {
    std::vector<std::string> names;
    const std::vector<DirectoryEntry> entries = fs_->List(directory).value();
    for (const DirectoryEntry& entry : entries) names.push_back(entry.name);
    return names;
  }
  void Create(const std::string& name) {
    ASSERT_TRUE(fs_->Open(directory_.Join(name), OpenMode::kCreate).ok());
  }

  const TemporaryDirectory directory_;
  const std::unique_ptr<FileSystem> fs_ = NewPosixFileSystem();
};

TEST_F(PosixFileSystemTest, OpenModesDifferInWhatTheyExpect) {
  const std::string path = directory_.Join("f");
  EXPECT_TRUE(absl::IsNotFound(fs_->Open(path, OpenMode::kReadOnly).status()));
  EXPECT_TRUE(absl::IsNotFound(fs_->Open(path, OpenMode::kReadWrite).status()));
  EXPECT_TRUE(fs_->Open(path, OpenMode::kCreate).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(fs_->Open(path, OpenMode::kCreate).status()));
  EXPECT_TRUE(fs_->Open(path, OpenMode::kReadWrite).ok());
  EXPECT_TRUE(
      absl::IsFailedPrecondition(fs_->Open(directory_.path(), OpenMode::kReadWrite).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(fs_->Open(path + "/below", OpenMode::kReadOnly).status()));
}

TEST_F(PosixFileSystemTest, ListsEntriesSortedByName) {
  Create("b");
  Create("a");
  ASSERT_TRUE(fs_->CreateDir(directory_.Join("c")).ok());
  EXPECT_THAT(Names(directory_.path()), ElementsAre("a", "b", "c"));
  EXPECT_TRUE(fs_->List(directory_.path()).value()[2].is_directory);
  EXPECT_FALSE(fs_->List(directory_.path()).value()[0].is_directory);
  EXPECT_TRUE(absl::IsNotFound(fs_->List(directory_.Join("none")).status()));
}

TEST_F(PosixFileSystemTest, StatTellsFilesFromDirectories) {
  Create("f");
  EXPECT_FALSE(fs_->Stat(directory_.Join("f")).value().is_directory);
  EXPECT_TRUE(fs_->Stat(directory_.path()).value().is_directory);
  EXPECT_EQ(fs_->Stat(directory_.path()).value().size_bytes, 0u);
  EXPECT_TRUE(absl::IsNotFound(fs_->Stat(directory_.Join("none")).status()));
}

TEST_F(PosixFileSystemTest, RemovesOnlyWhatTheCallIsFor) {
  Create("f");
  ASSERT_TRUE(fs_->CreateDir(directory_.Join("d")).ok());
  Create("d/f");
  EXPECT_TRUE(absl::IsAlreadyExists(fs_->CreateDir(directory_.Join("d"))));
  EXPECT_TRUE(absl::IsFailedPrecondition(fs_->RemoveDir(directory_.Join("d"))));
  EXPECT_TRUE(absl::IsFailedPrecondition(fs_->RemoveDir(directory_.Join("f"))));
  EXPECT_TRUE(absl::IsFailedPrecondition(fs_->RemoveFile(directory_.Join("d"))));
  EXPECT_TRUE(fs_->RemoveFile(directory_.Join("d/f")).ok());
  EXPECT_TRUE(fs_->RemoveDir(directory_.Join("d")).ok());
  EXPECT_TRUE(absl::IsNotFound(fs_->RemoveFile(directory_.Join("d/f"))));
  EXPECT_THAT(Names(directory_.path()), ElementsAre("f"));
}

TEST_F(PosixFileSystemTest, RenameReplacesAFile) {
  ASSERT_TRUE(ReplaceFile(*fs_, directory_.Join("a"), "new").ok());
  ASSERT_TRUE(ReplaceFile(*fs_, directory_.Join("b"), "old").ok());
  ASSERT_TRUE(fs_->Rename(directory_.Join("a"), directory_.Join("b")).ok());
  EXPECT_EQ(ReadFile(*fs_, directory_.Join("b"), 10).value(), "new");
  const absl::Status status = fs_->Rename(directory_.Join("a"), directory_.Join("b"));
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_THAT(status.message(), HasSubstr(directory_.Join("a")));
}

TEST_F(PosixFileSystemTest, SyncsDirectoriesOnly) {
  Create("f");
  EXPECT_TRUE(fs_->SyncDir(directory_.path()).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(fs_->SyncDir(directory_.Join("f"))));
  EXPECT_TRUE(absl::IsNotFound(fs_->SyncDir(directory_.Join("none"))));
}

TEST_F(PosixFileSystemTest, LockNamesItsHolderAndEndsWithTheObject) {
  const std::string path = directory_.Join("LOCK");
  auto lock = fs_->Lock(path);
  ASSERT_TRUE(lock.ok()) << lock.status();
  const absl::Status second = fs_->Lock(path).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(second));
  EXPECT_THAT(second.message(), HasSubstr(absl::StrCat("process ", ::getpid())));
  lock->reset();
  EXPECT_TRUE(fs_->Lock(path).ok());
}

TEST_F(PosixFileSystemTest, LockOfAKilledProcessIsFree) {
  const std::string path = directory_.Join("LOCK");
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto lock = fs_->Lock(path);
    const char answer = lock.ok() ? 'y' : 'n';
    if (::write(ready[1], &answer, 1) == 1) ::pause();
    ::_exit(0);
  }
  char answer = 0;
  ASSERT_EQ(::read(ready[0], &answer, 1), 1);
  ASSERT_EQ(answer, 'y');
  const absl::Status held = fs_->Lock(path).status();
  EXPECT_THAT(held.message(), HasSubstr(absl::StrCat("process ", child)));
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(fs_->Lock(path).ok());
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_F(PosixFileSystemTest, KnowsTheFreeSpace) {
  EXPECT_GT(fs_->FreeBytes(directory_.path()).value(), 0u);
  EXPECT_TRUE(absl::IsNotFound(fs_->FreeBytes(directory_.Join("none")).status()));
}

TEST_F(PosixFileSystemTest, RunningOutOfDescriptorsIsResourceExhausted) {
  Create("f");
  rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none = {0, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const absl::Status status = fs_->Open(directory_.Join("f"), OpenMode::kReadOnly).status();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
}

TEST(PosixErrorTest, MapsErrnoAsDocumented) {
  const auto code = [](int error) { return PosixError(error, "open", "/p").code(); };
  for (const int error : {EACCES, EPERM}) {
    EXPECT_EQ(code(error), absl::StatusCode::kPermissionDenied);
  }
  for (const int error : {ENOSPC, EDQUOT, EMFILE, ENFILE}) {
    EXPECT_EQ(code(error), absl::StatusCode::kResourceExhausted);
  }
  for (const int error : {EROFS, ENOTDIR, EISDIR, ENOTEMPTY}) {
    EXPECT_EQ(code(error), absl::StatusCode::kFailedPrecondition);
  }
  EXPECT_EQ(code(ENOENT), absl::StatusCode::kNotFound);
  EXPECT_EQ(code(EEXIST), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(code(EIO), absl::StatusCode::kInternal);
  EXPECT_EQ(PosixError(EIO, "open", "/p").message(), "open /p: Input/output error");
}

}  // namespace
}  // namespace cairn::env
