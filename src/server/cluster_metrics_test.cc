// GET /metrics of three nodes: who leads, who is gone, who is behind.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "base/strings.h"
#include "env/raw_client.h"
#include "server/cluster_fixture.h"
#include "server/scrape_testing.h"

namespace cairn::server {
namespace {

class ClusterMetricsTest : public ClusterFixture {
 protected:
  void Adjust(ServerConfig& config) override { config.retention_interval_ms = 100; }
  Scrape At(int index) { return ScrapeOf(Address(index)); }
  void ExpectAt(int index, const std::string& series, const std::function<bool(double)>& holds) {
    EXPECT_TRUE(Await([&] { return holds(At(index)[series]); }))
        << series << " is " << At(index)[series] << " on node " << index + 1;
  }
};

TEST_F(ClusterMetricsTest, ShowWhoLeadsWhoFollowsAndWhoIsThere) {
  CreateTopic("orders");
  const int leader = LeaderOf("orders");
  const int follower = (leader + 1) % kNodes;
  ASSERT_TRUE(ProduceAt(follower, "orders").ok());  // which hands it to the leader

  const auto is = [](double wanted) { return [wanted](double value) { return value == wanted; }; };
  const auto positive = [](double value) { return value > 0; };
  const auto produced = OfPartition("cairn_partition_produced_records_total", "orders");
  ExpectAt(leader, produced, is(1));
  ExpectAt(follower, produced, is(0));
  for (int node = 0; node < kNodes; ++node) {
    ExpectAt(node, OfPartition("cairn_partition_high_watermark", "orders"), is(1));
    ExpectAt(node, OfPartition("cairn_raft_role", "orders"), is(node == leader ? 2 : 0));
    ExpectAt(node, OfPartition("cairn_raft_has_leader", "orders"), is(1));
    ExpectAt(node, OfPartition("cairn_raft_term", "orders"), positive);
    ExpectAt(node, OfPartition("cairn_raft_commit_lag_entries", "orders"), is(0));
    ExpectAt(node, OfPartition("cairn_raft_follower_lag_entries", "orders"), is(0));
    ExpectAt(node, "cairn_gossip_members{status=\"alive\",kind=\"broker\"}", is(kNodes));
    ExpectAt(node, "cairn_gossip_probes_total", positive);
    ExpectAt(node, "cairn_controller_has_leader", is(1));
    ExpectAt(node, "cairn_controller_term", positive);
    ExpectAt(node, "cairn_replicas_without_leader", is(0));
    ExpectAt(node, "cairn_peer_messages_sent_total", positive);
    ExpectAt(node, "cairn_peer_messages_received_total", positive);
    ExpectAt(node, "cairn_peer_sent_bytes_total", positive);
    ExpectAt(node, "cairn_peer_received_bytes_total", positive);
    ExpectAt(node, "cairn_peer_connects_total", positive);
    ExpectAt(node, "cairn_connections_accepted_total{protocol=\"peer\"}", positive);
  }
  EXPECT_TRUE(Await([&] {
    double controllers = 0;
    for (int node = 0; node < kNodes; ++node) controllers += At(node)["cairn_controller_leads"];
    return controllers == 1;
  }));
}

TEST_F(ClusterMetricsTest, ShowThatANodeIsGone) {
  CreateTopic("orders");
  const int leader = LeaderOf("orders");
  const int left = (leader + 1) % kNodes;
  const double changes = At(left)["cairn_raft_leader_changes_total"];
  const double term = At(left)[OfPartition("cairn_raft_term", "orders")];
  const auto elections = [&] {
    const char* const name = "cairn_raft_elections_total";
    return At(left)[name] + At((leader + 2) % kNodes)[name];
  };
  const double elections_before = elections();
  StopNode(leader);
  EXPECT_TRUE(Await([&] { return elections() > elections_before; }));
  ExpectAt(left, OfPartition("cairn_raft_term", "orders"),
           [&](double value) { return value > term; });
  ExpectAt(left, "cairn_raft_leader_changes_total", [&](double value) { return value > changes; });
  ExpectAt(left, "cairn_peer_disconnects_total", [](double value) { return value >= 1; });
  EXPECT_TRUE(Await([&] {
    const Scrape scrape = At(left);
    const auto gone = [&](const char* status) {
      return scrape[base::StrCat("cairn_gossip_members{status=\"", status, "\",kind=\"broker\"}")];
    };
    return gone("left") + gone("failed") == 1;
  }));
  // What the others write the one that is gone does not have.
  ASSERT_TRUE(Await([&] { return ProduceAt(left, "orders").ok(); }));
  EXPECT_TRUE(Await([&] {
    const auto lag = OfPartition("cairn_raft_follower_lag_entries", "orders");
    return At(left)[lag] + At((leader + 2) % kNodes)[lag] > 0;
  }));
  StartNode(leader);
}

TEST_F(ClusterMetricsTest, ShowThatAMajorityIsGone) {
  CreateTopic("orders");
  StopNode(1);
  StopNode(2);
  const auto positive = [](double value) { return value > 0; };
  const auto zero = [](double value) { return value == 0; };
  ExpectAt(0, "cairn_ready", zero);
  ExpectAt(0, "cairn_controller_has_leader", zero);
  ExpectAt(0, OfPartition("cairn_raft_has_leader", "orders"), zero);
  ExpectAt(0, "cairn_replicas_without_leader", positive);
  ExpectAt(0, "cairn_replicas{role=\"candidate\"}", positive);
  ExpectAt(0, "cairn_peer_messages_refused_total", positive);
  // After a start there is nobody who could say what of the log is committed.
  StopNode(0);
  StartNode(0);
  ExpectAt(0, "cairn_controller_commit_lag_entries", positive);
  StartNode(1);
  StartNode(2);
  ExpectAt(0, "cairn_ready", [](double value) { return value == 1; });
  ExpectAt(0, "cairn_replicas_without_leader", zero);
  ExpectAt(0, "cairn_controller_commit_lag_entries", zero);
}

TEST_F(ClusterMetricsTest, ShowThatRetentionLeftAFollowerASnapshotOnly) {
  const auto created =
      admin_->CreateTopic({.name = "orders",
                           .replication_factor = 3,
                           .settings = {.retention_bytes = 128 << 10, .segment_bytes = 64 << 10}});
  ASSERT_TRUE(created.ok()) << created.status();
  ASSERT_TRUE(Await([&] { return InSync("orders"); }));
  const int follower = FollowerOf("orders");
  StopNode(follower);
  const int left = (follower + 1) % kNodes;
  const std::string value(32 << 10, 'x');
  const auto start = OfPartition("cairn_partition_log_start", "orders");
  ASSERT_TRUE(Await([&] { return ProduceAt(left, "orders", value).ok() && At(left)[start] > 0; }));
  EXPECT_GT(At(left)[OfPartition("cairn_partition_segments", "orders")], 1);
  StartNode(follower);
  ExpectAt(follower, "cairn_raft_snapshots_received_total",
           [](double snapshots) { return snapshots >= 1; });
  ExpectAt(follower, start, [](double offset) { return offset > 0; });
  EXPECT_TRUE(Await([&] {
    double sent = 0;
    for (int node = 0; node < kNodes; ++node) sent += At(node)["cairn_raft_snapshots_sent_total"];
    return sent >= 1;
  }));
}

TEST_F(ClusterMetricsTest, CountStrangers) {
  env::RawClient(Address(0)).Send(std::string(64, '\1'));
  EXPECT_TRUE(Await([&] { return At(0).Sum("cairn_peer_rejections_total") >= 1; })) << At(0).text();
  const auto view = NodeAt(0).metadata();
  const cluster::NodeInfo* self = view->metadata.FindNode(NodeId(1));
  ASSERT_NE(self, nullptr);
  env::RawClient(self->description.gossip_address).Send(std::string(64, '\xff'));
  EXPECT_TRUE(Await([&] { return At(0).Sum("cairn_gossip_refused_total") >= 1; })) << At(0).text();
}

}  // namespace
}  // namespace cairn::server
