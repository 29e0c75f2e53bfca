// Bits that flip on a node's disk: what is lost there comes back from the other nodes, and where
// too much is lost nothing is cut, and who asks is told.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error_info.h"
#include "base/strings.h"
#include "cairn/admin.h"
#include "log/entry.h"
#include "log/store_header.h"
#include "process/await.h"
#include "process/cluster_fixture.h"
#include "process/node_client.h"

namespace cairn::testing {
namespace {

using ::testing::HasSubstr;

constexpr size_t kSome = 300;

class ClusterDamageTest : public ClusterFixture {
 protected:
  std::string StoreOf(size_t node) {
    return cluster_.node(node).data_dir() + "/" + ClusterProcess::kDefaultLog +
           "/00000000000000000000.store";
  }
  // Of a node that has ended.
  void FlipByte(size_t node, size_t at) {
    std::string content = ReadWholeFile(StoreOf(node));
    ASSERT_GT(content.size(), at);
    content[at] = static_cast<char>(content[at] ^ 0x10);
    WriteWholeFile(StoreOf(node), content);
  }
  bool HasLogged(size_t node, const std::string& text) {
    return cluster_.node(node).log().find(text) != std::string::npos;
  }
  void ExpectIntact(size_t node) {
    const auto verified = RunCommand(Cairn({"log", "verify", cluster_.node(node).data_dir()}));
    EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
  }
};

TEST_F(ClusterDamageTest, WhatRotsOnOneNodeIsRefetchedAndTheNodeVotesAgain) {
  ProduceSome(kSome);
  const size_t leader = cluster_.AwaitLeader();
  const size_t rotten = cluster_.OtherThan(leader);
  const size_t third = 3 - leader - rotten;
  cluster_.Terminate(rotten);
  const size_t size = ReadWholeFile(StoreOf(rotten)).size();
  ASSERT_NO_FATAL_FAILURE(FlipByte(rotten, size / 3));
  ASSERT_NO_FATAL_FAILURE(FlipByte(rotten, size / 2));
  // The first entry, which is needed to take part at all.
  ASSERT_NO_FATAL_FAILURE(FlipByte(rotten, log::kStoreHeaderBytes + 30));
  cluster_.Restart(rotten);
  EXPECT_TRUE(Await([&] { return HasLogged(rotten, "damaged log repaired"); }))
      << cluster_.node(rotten).events();
  ProduceSome(kSome);
  // It serves all there is, from its own disk, and is needed for the majority.
  cluster_.Kill(third);
  ProduceSome(kSome);
  cluster_.Restart(third);
  ASSERT_NO_FATAL_FAILURE(cluster_.AwaitVoters(ClusterProcess::kDefaultLog, 3));
  cluster_.ExpectConsistent(history_);
  for (size_t node = 0; node < cluster_.size(); ++node) ExpectIntact(node);
}

TEST_F(ClusterDamageTest, WithTwoOfThreeDamagedNothingIsCutAndWhoAsksIsToldWhy) {
  ProduceSome(kSome);
  // Nobody commits anything more, and all of them end.
  std::vector<std::string> before;
  for (size_t node = 0; node < cluster_.size(); ++node) cluster_.Kill(node);
  // The last entry, which the third node cannot know to be committed.
  const auto flip = [this](size_t node) {
    FlipByte(node, ReadWholeFile(StoreOf(node)).size() - 5);
  };
  for (size_t node = 0; node < 2; ++node) {
    ASSERT_NO_FATAL_FAILURE(flip(node));
    before.push_back(ReadWholeFile(StoreOf(node)));
  }
  for (size_t node = 0; node < cluster_.size(); ++node) cluster_.Restart(node);
  logapi::v1::ProduceRequest request;
  request.mutable_record()->set_value("x");
  NodeClient client(cluster_.node(0).address());
  absl::Status refused;
  EXPECT_TRUE(Await([&] {
    refused = client.Produce(request).status();
    const auto info = base::GetErrorInfo(refused);
    return info && info->reason == base::reason::kDamagedLog;
  })) << refused;
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("Bring back healthy replicas"));
  // The controller's group is whole and says the same.
  std::string why;
  EXPECT_TRUE(Await([&] {
    why = RunCommand(Cairn({"cluster", "why", "--addr", cluster_.node(2).address()})).out;
    return why.find("is damaged") != std::string::npos &&
           why.find("bring back healthy ones") != std::string::npos;
  })) << why;
  for (size_t node = 0; node < 2; ++node) {
    EXPECT_FALSE(HasLogged(node, "damaged log repaired")) << cluster_.node(node).events();
    EXPECT_TRUE(ReadWholeFile(StoreOf(node)).starts_with(before[node]));
  }
  // A byte that is put right, as from a copy, makes a majority, and that one repairs the other.
  cluster_.Kill(0);
  ASSERT_NO_FATAL_FAILURE(flip(0));
  cluster_.Restart(0);
  EXPECT_TRUE(Await([&] { return HasLogged(1, "damaged log repaired"); }))
      << cluster_.node(1).events();
  ProduceSome(kSome);
  cluster_.ExpectConsistent(history_);
  for (size_t node = 0; node < cluster_.size(); ++node) ExpectIntact(node);
}

}  // namespace
}  // namespace cairn::testing
