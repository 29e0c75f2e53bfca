#include "client/brokers.h"

#include <gtest/gtest.h>

#include <set>

#include "base/error_info.h"
#include "cairn/v1/admin.pb.h"

namespace cairn::client {
namespace {

class BrokersTest : public testing::Test {
 protected:
  BrokersTest() { brokers_->Stop(); }  // nothing is asked in the background

  // Three nodes of which `leader` leads and all hold partition 0.
  void Learn(int leader) {
    v1::DescribeTopicResponse response;
    for (int id = 1; id <= 3; ++id) {
      v1::Node& node = *response.add_nodes();
      node.set_id(id);
      node.set_address(std::string(1, static_cast<char>('a' + id - 1)) + ":1");
    }
    v1::Partition& row = *response.mutable_topic()->add_partitions();
    row.set_leader(leader);
    for (int id = 1; id <= 3; ++id) row.add_replicas(id);
    brokers_->Learn("t", response);
  }
  static absl::Status NotLeader(const std::string& leader) {
    std::map<std::string, std::string> metadata;
    if (!leader.empty()) metadata["leader_addr"] = leader;
    return base::MakeError(absl::StatusCode::kUnavailable, "no", base::reason::kNotLeader,
                           metadata);
  }

  const std::shared_ptr<Brokers> brokers_ = std::make_shared<Brokers>(
      std::vector<std::string>{"a:1", "b:1"}, [](const std::string&) { return nullptr; });
};

TEST_F(BrokersTest, StaysWithTheFirstUntilItFails) {
  EXPECT_EQ(brokers_->Any().address, "a:1");
  brokers_->Failed("a:1", "t", -1, absl::InvalidArgumentError("of the request, not of the node"));
  EXPECT_EQ(brokers_->Any().address, "a:1");
  brokers_->Failed("a:1", "t", -1, absl::UnavailableError("gone"));
  EXPECT_EQ(brokers_->Any().address, "b:1");
  brokers_->Failed("b:1", "t", -1, absl::UnavailableError("gone"));
  EXPECT_EQ(brokers_->Any().address, "a:1") << "both failed: the one that failed first";
  brokers_->Worked("b:1");
  brokers_->Failed("a:1", "t", -1, absl::UnavailableError("gone"));
  EXPECT_EQ(brokers_->Any().address, "b:1");
}

TEST_F(BrokersTest, LearnsWhoLeadsAndWhoHolds) {
  EXPECT_FALSE(brokers_->KnownLeader("t", 0).has_value());
  Learn(3);
  EXPECT_EQ(brokers_->count(), 3u);
  EXPECT_EQ(brokers_->Leader("t", 0).address, "c:1");
  std::set<std::string> used;
  for (int i = 0; i < 3; ++i) used.insert(brokers_->Replica("t", 0).address);
  EXPECT_EQ(used.size(), 3u) << "replicas are read in turn";
}

TEST_F(BrokersTest, PassesOverALeaderThatIsAway) {
  Learn(3);
  brokers_->Failed("c:1", "t", 0, absl::UnavailableError("gone"));
  EXPECT_FALSE(brokers_->KnownLeader("t", 0).has_value());
  EXPECT_EQ(brokers_->Leader("t", 0).address, "a:1");
  Learn(3);
  EXPECT_FALSE(brokers_->KnownLeader("t", 0).has_value()) << "who says so may not know yet";
  for (int i = 0; i < 6; ++i) EXPECT_NE(brokers_->Replica("t", 0).address, "c:1");
}

TEST_F(BrokersTest, GoesWhereNotLeaderPoints) {
  Learn(3);
  brokers_->Failed("c:1", "t", 0, NotLeader("b:1"));
  EXPECT_EQ(brokers_->Leader("t", 0).address, "b:1");
  brokers_->Failed("b:1", "t", 0, NotLeader(""));
  EXPECT_FALSE(brokers_->KnownLeader("t", 0).has_value());
  // It was not leader yet; now it is.
  brokers_->Failed("a:1", "t", 0, NotLeader("b:1"));
  EXPECT_EQ(brokers_->Leader("t", 0).address, "b:1");
}

// The process died of it now and then: the answer's thread let go of the last channel.
TEST(BrokersEndTest, WhoStopsWhileItAsksLetsGoOfTheChannelsLast) {
  for (int i = 0; i < 200; ++i) {
    Brokers brokers({"127.0.0.1:1"}, MakeChannelFactory({}).value());
    brokers.RefreshIfOlder("t", Brokers::Clock::duration::zero());
    brokers.Stop();
  }
}

}  // namespace
}  // namespace cairn::client
