#include "env/files.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "env/posix.h"
#include "env/sim_file_system.h"
#include "env/temporary_directory.h"

namespace cairn::env {
namespace {

class FilesTest : public testing::Test {
 protected:
  std::string Path(std::string_view name) const { return directory_.Join(name); }
  bool Exists(std::string_view name) { return fs_->Stat(Path(name)).ok(); }

  const TemporaryDirectory directory_;
  const std::unique_ptr<FileSystem> fs_ = NewPosixFileSystem();
};

TEST(PathTest, JoinsWithOneSlash) {
  EXPECT_EQ(JoinPath("a/b", "c"), "a/b/c");
  EXPECT_EQ(JoinPath("/", "c"), "/c");
  EXPECT_EQ(JoinPath("", "c"), "c");
}

TEST(PathTest, DirNameIsTheDirectoryPart) {
  EXPECT_EQ(DirName("a/b/c"), "a/b");
  EXPECT_EQ(DirName("a/b/"), "a");
  EXPECT_EQ(DirName("c"), ".");
  EXPECT_EQ(DirName("/c"), "/");
  EXPECT_EQ(DirName("/"), "/");
}

TEST_F(FilesTest, ReadFileHasALimit) {
  ASSERT_TRUE(ReplaceFile(*fs_, Path("f"), "12345").ok());
  EXPECT_EQ(ReadFile(*fs_, Path("f"), 5).value(), "12345");
  EXPECT_TRUE(absl::IsResourceExhausted(ReadFile(*fs_, Path("f"), 4).status()));
  EXPECT_TRUE(absl::IsNotFound(ReadFile(*fs_, Path("none"), 4).status()));
}

TEST_F(FilesTest, ReplaceFileLeavesNothingElseBehind) {
  ASSERT_TRUE(ReplaceFile(*fs_, Path("f"), "one").ok());
  ASSERT_TRUE(ReplaceFile(*fs_, Path("f"), "two").ok());
  EXPECT_EQ(ReadFile(*fs_, Path("f"), 100).value(), "two");
  EXPECT_EQ(fs_->List(directory_.path()).value().size(), 1u);
}

TEST_F(FilesTest, ReplaceFileGetsPastALeftOver) {
  ASSERT_TRUE(fs_->Open(Path("f.new"), OpenMode::kCreate).ok());
  ASSERT_TRUE(ReplaceFile(*fs_, Path("f"), "one").ok());
  EXPECT_EQ(ReadFile(*fs_, Path("f"), 100).value(), "one");
}

TEST_F(FilesTest, ReplaceFileThatFailsKeepsTheOldAndCleansUp) {
  ASSERT_TRUE(fs_->CreateDir(Path("d")).ok());
  EXPECT_FALSE(ReplaceFile(*fs_, Path("d"), "a file cannot replace a directory").ok());
  EXPECT_TRUE(fs_->Stat(Path("d")).value().is_directory);
  EXPECT_FALSE(Exists("d.new"));
}

TEST_F(FilesTest, ChecksummedFileComesBackAsItWas) {
  for (const std::string content : {"", "a: 1\nb: 2\n", "no newline at the end"}) {
    ASSERT_TRUE(ReplaceChecksummedFile(*fs_, Path("f"), content).ok());
    EXPECT_EQ(ReadChecksummedFile(*fs_, Path("f"), content.size()).value(), content);
  }
}

TEST_F(FilesTest, AChecksumClosesEachOfTwoCopies) {
  ASSERT_TRUE(ReplaceChecksummedFile(*fs_, Path("f"), "123456789").ok());
  EXPECT_EQ(ReadFile(*fs_, Path("f"), 100).value(),
            "123456789crc32c e3069283\n123456789crc32c e3069283\n");
}

TEST_F(FilesTest, AFlippedBitAnywhereIsMended) {
  SimFileSystem fs(1);
  ASSERT_TRUE(ReplaceChecksummedFile(fs, "f", "id: 7\n").ok());
  const std::string good = ReadFile(fs, "f", 100).value();
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    ASSERT_TRUE(ReplaceFile(fs, "f", bad).ok());
    EXPECT_EQ(ReadChecksummedFile(fs, "f", 100).value(), "id: 7\n") << bit;
    EXPECT_EQ(ReadFile(fs, "f", 100).value(), good) << bit;
  }
}

TEST_F(FilesTest, EveryCutAndDamageOfBothCopiesIsDataLoss) {
  SimFileSystem fs(1);
  ASSERT_TRUE(ReplaceChecksummedFile(fs, "f", "id: 7\n").ok());
  const std::string good = ReadFile(fs, "f", 100).value();
  for (size_t size = 0; size < good.size(); ++size) {
    ASSERT_TRUE(ReplaceFile(fs, "f", good.substr(0, size)).ok());
    EXPECT_TRUE(absl::IsDataLoss(ReadChecksummedFile(fs, "f", 100).status())) << size;
  }
  for (size_t bit = 0; bit < good.size() * 4; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    bad[good.size() - 3] ^= 1;
    ASSERT_TRUE(ReplaceFile(fs, "f", bad).ok());
    EXPECT_TRUE(absl::IsDataLoss(ReadChecksummedFile(fs, "f", 100).status())) << bit;
    EXPECT_EQ(ReadFile(fs, "f", 100).value(), bad);
  }
}

TEST_F(FilesTest, DamageIsReportedWithBothChecksums) {
  ASSERT_TRUE(
      ReplaceFile(*fs_, Path("f"), "123456789crc32c 00000000\n123456789crc32c 00000001\n").ok());
  const std::string message(ReadChecksummedFile(*fs_, Path("f"), 100).status().message());
  EXPECT_EQ(message,
            Path("f") + " is damaged: expected crc32c e3069283, found 00000000, in either copy");
}

TEST_F(FilesTest, CopiesThatDifferAreDamage) {
  ASSERT_TRUE(
      ReplaceFile(*fs_, Path("f"), "123456789crc32c e3069283\n000000000crc32c 02f743d9\n").ok());
  const auto content = ReadChecksummedFile(*fs_, Path("f"), 100);
  EXPECT_TRUE(absl::IsDataLoss(content.status())) << *content;
}

TEST_F(FilesTest, CreateDirsMakesTheMissingParents) {
  EXPECT_TRUE(CreateDirs(*fs_, Path("a/b/c")).ok());
  EXPECT_TRUE(fs_->Stat(Path("a/b/c")).value().is_directory);
  EXPECT_TRUE(CreateDirs(*fs_, Path("a/b/c")).ok());
  ASSERT_TRUE(ReplaceFile(*fs_, Path("a/f"), "x").ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(CreateDirs(*fs_, Path("a/f"))));
  EXPECT_TRUE(absl::IsFailedPrecondition(CreateDirs(*fs_, Path("a/f/below"))));
}

TEST_F(FilesTest, RemoveTreeTakesEverythingBelow) {
  ASSERT_TRUE(CreateDirs(*fs_, Path("a/b/c")).ok());
  ASSERT_TRUE(ReplaceFile(*fs_, Path("a/b/f"), "x").ok());
  EXPECT_TRUE(RemoveTree(*fs_, Path("a")).ok());
  EXPECT_FALSE(Exists("a"));
  EXPECT_TRUE(RemoveTree(*fs_, Path("a")).ok());
}

}  // namespace
}  // namespace cairn::env
