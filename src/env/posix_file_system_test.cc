#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "env/files.h"
#include "env/posix.h"
#include "env/posix_error.h"
#include "env/temporary_directory.h"

namespace cairn::env {
namespace {

using testing::HasSubstr;

class PosixFileSystemTest : public testing::Test {
 protected:
  void Create(const std::string& name) {
    ASSERT_TRUE(fs_->Open(directory_.Join(name), OpenMode::kCreate).ok());
  }

  const TemporaryDirectory directory_;
  const std::unique_ptr<FileSystem> fs_ = NewPosixFileSystem();
};

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
