#include "env/posix_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "env/files.h"
#include "env/posix.h"
#include "env/temporary_directory.h"

namespace cairn::env {
namespace {

class PosixFileTest : public testing::Test {
 protected:
  PosixFileTest() { file_ = fs_->Open(Path(), OpenMode::kCreate).value(); }

  std::string Path() const { return directory_.Join("file"); }
  std::string Content() { return ReadFile(*fs_, Path(), 1 << 30).value(); }

  const TemporaryDirectory directory_;
  const std::unique_ptr<FileSystem> fs_ = NewPosixFileSystem();
  std::unique_ptr<File> file_;
};

TEST_F(PosixFileTest, ReportsAFullDevice) {
  const auto full = fs_->Open("/dev/full", OpenMode::kReadWrite).value();
  const std::array<std::string_view, 1> buffers = {"x"};
  const absl::Status status = full->WriteAt(0, buffers);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(status.message().find("write /dev/full"), std::string::npos) << status;
}

// RLIMIT_FSIZE is the one way to make Linux write a part of a buffer to a regular file: the first
// call is short, the next one fails. WriteAt must go on after the short one and then report the
// failure.
TEST_F(PosixFileTest, GoesOnAfterAShortWriteAndReportsWhatStoppedIt) {
  rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small = {6, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::vector<std::string_view> buffers = {"abcd", "efgh"};
  const absl::Status status = file_->WriteAt(0, buffers);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;  // EFBIG
  EXPECT_EQ(Content(), "abcdef");
}

// Signals without SA_RESTART arrive all the time: no call may report one as its failure.
TEST(PosixFileSignalTest, SignalsInterruptNoCall) {
  struct sigaction interrupt = {};
  interrupt.sa_handler = [](int) {};  // no SA_RESTART: blocking calls return EINTR
  struct sigaction before;
  ASSERT_EQ(::sigaction(SIGUSR1, &interrupt, &before), 0);
  const TemporaryDirectory directory;
  const auto fs = NewPosixFileSystem();
  const auto file = fs->Open(directory.Join("file"), OpenMode::kCreate).value();
  std::atomic<bool> stop = false;
  const pthread_t self = ::pthread_self();
  std::thread signaller([&] {
    while (!stop) {
      ::pthread_kill(self, SIGUSR1);
      std::this_thread::yield();
    }
  });
  const std::string text(1 << 20, 'x');
  const std::array<std::string_view, 1> buffers = {text};
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(file->WriteAt(0, buffers).ok());
    EXPECT_TRUE(file->Sync().ok());
    std::string into(text.size(), '\0');
    EXPECT_EQ(file->ReadAt(0, into).value(), text.size());
    EXPECT_TRUE(file->Allocate(2 << 20).ok());
    EXPECT_TRUE(file->Truncate(0).ok());
  }
  stop = true;
  signaller.join();
  ASSERT_EQ(::sigaction(SIGUSR1, &before, nullptr), 0);
}

TEST_F(PosixFileTest, DescriptorsAreNotInheritedByChildren) {
  const int lowest_free = ::open("/dev/null", O_RDONLY);
  ::close(lowest_free);
  const auto other = fs_->Open(Path(), OpenMode::kReadOnly).value();
  EXPECT_EQ(::fcntl(lowest_free, F_GETFD), FD_CLOEXEC);
}

}  // namespace
}  // namespace cairn::env
