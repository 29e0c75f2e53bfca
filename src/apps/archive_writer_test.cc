#include "apps/archive_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "env/temporary_directory.h"

namespace cairn::apps {
namespace {

using Existing = ArchiveWriter::Existing;

std::string OutputOf(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  std::string text;
  for (int letter; (letter = fgetc(pipe)) != EOF;) text += static_cast<char>(letter);
  EXPECT_EQ(pclose(pipe), 0) << command;
  return text;
}

class ArchiveWriterTest : public testing::Test {
 protected:
  const env::TemporaryDirectory directory_;
  const std::string file_ = directory_.path() + "/a.tar.gz";
};

TEST_F(ArchiveWriterTest, TarReadsWhatWasAdded) {
  auto archive = ArchiveWriter::Create(file_, Existing::kKeep);
  ASSERT_TRUE(archive.ok()) << archive.status();
  const std::string large(3'000'000, 'x');
  ASSERT_TRUE((*archive)->Add("top/one", "first\n", 0).ok());
  ASSERT_TRUE((*archive)->Add("top/" + std::string(300, 'n'), large, 1).ok());
  ASSERT_TRUE((*archive)->Add("top/empty", "", 2).ok());
  ASSERT_TRUE((*archive)->Finish().ok());
  EXPECT_EQ(OutputOf("tar -tzf " + file_),
            "top/one\ntop/" + std::string(300, 'n') + "\ntop/empty\n");
  EXPECT_EQ(OutputOf("tar -xOzf " + file_ + " top/one"), "first\n");
  EXPECT_EQ(OutputOf("tar -xOzf " + file_ + " top/" + std::string(300, 'n')), large);
}

TEST_F(ArchiveWriterTest, IsForItsOwnerAloneAndReplacesNothingUnasked) {
  std::ofstream(file_) << "old";
  std::filesystem::permissions(file_, std::filesystem::perms::all);
  EXPECT_EQ(ArchiveWriter::Create(file_, Existing::kKeep).status().code(),
            absl::StatusCode::kAlreadyExists);
  auto archive = ArchiveWriter::Create(file_, Existing::kReplace);
  ASSERT_TRUE(archive.ok()) << archive.status();
  ASSERT_TRUE((*archive)->Finish().ok());
  EXPECT_EQ(std::filesystem::status(file_).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(ArchiveWriterTest, WhatWasNotFinishedIsGone) {
  {
    auto archive = ArchiveWriter::Create(file_, Existing::kKeep);
    ASSERT_TRUE(archive.ok());
    ASSERT_TRUE((*archive)->Add("a", "a", 0).ok());
  }
  EXPECT_FALSE(std::filesystem::exists(file_));
  EXPECT_FALSE(ArchiveWriter::Create(directory_.path() + "/no/a", Existing::kKeep).ok());
}

}  // namespace
}  // namespace cairn::apps
