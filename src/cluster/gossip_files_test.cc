#include "cluster/gossip_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "env/files.h"
#include "env/sim_file_system.h"
#include "gossip/wire/keyring.h"

namespace cairn::cluster {
namespace {

using testing::HasSubstr;
using testing::Not;

class GossipFilesTest : public testing::Test {
 protected:
  std::string ErrorOf(const std::string& content) {
    EXPECT_TRUE(env::ReplaceFile(fs_, "keyring", content).ok());
    const auto keys = ReadKeyring(fs_, "keyring");
    EXPECT_FALSE(keys.ok()) << content;
    return std::string(keys.status().message());
  }
  env::SimFileSystem fs_{1};
};

TEST_F(GossipFilesTest, AKeyringComesBackAsSerfWritesIt) {
  EXPECT_FALSE(ReadKeyring(fs_, "keyring")->has_value());
  const std::vector<std::string> keys = {std::string(32, 'k'), std::string(16, 'j')};
  ASSERT_TRUE(WriteKeyring(fs_, "keyring", keys).ok());
  EXPECT_EQ(**ReadKeyring(fs_, "keyring"), keys);
  EXPECT_EQ(*env::ReadFile(fs_, "keyring", 1000), "[\n  \"" + gossip::FormatKey(keys[0]) +
                                                      "\",\n  \"" + gossip::FormatKey(keys[1]) +
                                                      "\"\n]\n");
}

TEST_F(GossipFilesTest, AWrongKeyringIsRefusedAndNoKeyIsShown) {
  const std::string key = gossip::FormatKey(std::string(32, 'k'));
  EXPECT_THAT(ErrorOf(""), HasSubstr("keyring file keyring is no JSON array"));
  EXPECT_THAT(ErrorOf("{\"a\": 1}"), HasSubstr("is no JSON array"));
  EXPECT_THAT(ErrorOf("[]"), HasSubstr("holds 0 keys"));
  EXPECT_THAT(ErrorOf("[1]"), HasSubstr("holds something that is no string"));
  const std::string bad = ErrorOf("[\"" + key + "\", \"" + key.substr(4) + "\"]");
  EXPECT_THAT(bad, HasSubstr("has a bad key in place 2"));
  EXPECT_THAT(bad, Not(HasSubstr(key.substr(4))));
  std::string many = "[\"" + key + "\"";
  for (size_t i = 0; i < gossip::Keyring::kMaxKeys; ++i) many += ", \"" + key + "\"";
  EXPECT_THAT(ErrorOf(many + "]"), HasSubstr("keys; expected a JSON array"));
  EXPECT_FALSE(ErrorOf(std::string(1 << 20, '[')).empty());
}

TEST_F(GossipFilesTest, ASnapshotThatIsDamagedIsToldFromNone) {
  EXPECT_FALSE(ReadGossipSnapshot(fs_, "snapshot")->has_value());
  gossip::SerfSnapshot snapshot;
  snapshot.event_time = 7;
  ASSERT_TRUE(WriteGossipSnapshot(fs_, "snapshot", gossip::EncodeSnapshot(snapshot)).ok());
  EXPECT_EQ((*ReadGossipSnapshot(fs_, "snapshot"))->event_time, 7u);
  std::string content = *env::ReadFile(fs_, "snapshot", 1 << 20);
  for (const size_t at : {content.size() / 3, content.size() - 20})
    content[at] ^= 1;  // in both copies
  ASSERT_TRUE(env::ReplaceFile(fs_, "snapshot", content).ok());
  EXPECT_EQ(ReadGossipSnapshot(fs_, "snapshot").status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace cairn::cluster
