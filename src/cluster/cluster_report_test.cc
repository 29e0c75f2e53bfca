#include "cluster/cluster_report.h"

#include <gtest/gtest.h>

#include "base/error_info.h"
#include "cluster/group_id.h"
#include "cluster/peer_methods.h"

namespace cairn::cluster {
namespace {

using consensus::Configuration;
using consensus::MemberRole;

ClusterReport Example() {
  ClusterReport report;
  report.controller = NodeId(2);
  report.reachable = {NodeId(1), NodeId(2)};
  GroupView view;
  view.leader = NodeId(1);
  view.configuration =
      Configuration::OfVoters({NodeId(1), NodeId(2)}).With(NodeId(3), MemberRole::kStandby);
  view.members[NodeId(1)] = {.reachable = true, .lag_entries = 0};
  view.members[NodeId(2)] = {.reachable = true, .lag_entries = {}, .damaged = true};
  view.members[NodeId(3)] = {.reachable = false, .lag_entries = 1'203'112};
  report.groups[GroupOf(TopicNumber(7), PartitionId(3))] = view;
  report.waits = {{"node 3 (c)", "has been silent for 42 s"}};
  return report;
}

TEST(ClusterReportTest, SurvivesTheWire) {
  const ClusterReport report = Example();
  const auto decoded = DecodeClusterReport(Encode(report));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->controller, report.controller);
  EXPECT_EQ(decoded->reachable, report.reachable);
  ASSERT_EQ(decoded->groups.size(), 1u);
  const GroupView& sent = report.groups.begin()->second;
  const GroupView& view = decoded->groups.begin()->second;
  EXPECT_EQ(view.leader, sent.leader);
  EXPECT_EQ(view.configuration, sent.configuration);
  for (const auto& [node, member] : sent.members) {
    EXPECT_EQ(view.members.at(node).reachable, member.reachable);
    EXPECT_EQ(view.members.at(node).damaged, member.damaged);
    EXPECT_EQ(view.members.at(node).lag_entries, member.lag_entries);
  }
  ASSERT_EQ(decoded->waits.size(), 1u);
  EXPECT_EQ(decoded->waits[0].about, "node 3 (c)");
  EXPECT_EQ(decoded->waits[0].why, "has been silent for 42 s");
}

TEST(ClusterReportTest, RefusesWhatItDidNotWrite) {
  const std::string good = Encode(Example());
  for (size_t size = 0; size < good.size(); size += 3) {
    EXPECT_FALSE(DecodeClusterReport(good.substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(DecodeClusterReport(R"({"controller":0})").ok());
  EXPECT_FALSE(DecodeClusterReport(
                   R"({"controller":1,"reachable":[],"groups":[{"group":1,"leader":1,"members":[)"
                   R"({"node":1,"voter":1,"reachable":1,"damaged":0},)"
                   R"({"node":1,"voter":1,"reachable":1,"damaged":0}]}],"waits":[]})")
                   .ok())
      << "a node twice";
}

TEST(PeerMethodsTest, MembersSurviveTheWire) {
  const auto configuration = consensus::Configuration::OfVoters({NodeId(1), NodeId(3)});
  const std::string bytes = Encode(GroupMembers{Term(7), Index(uint64_t{1} << 40), configuration});
  const auto decoded = DecodeGroupMembers(bytes);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->term, Term(7));
  EXPECT_EQ(decoded->committed, Index(uint64_t{1} << 40));
  EXPECT_EQ(decoded->configuration.ToString(), configuration.ToString());
  EXPECT_FALSE(DecodeGroupMembers("short").ok());
  EXPECT_FALSE(DecodeGroupMembers(Encode(GroupMembers{Term(), Index(1), configuration})).ok());
  EXPECT_FALSE(DecodeGroupMembers(bytes.substr(0, bytes.size() - 1)).ok());
  // As an answer was before it had a term and an index.
  EXPECT_FALSE(DecodeGroupMembers(configuration.Encode()).ok());
}

TEST(ClusterReportTest, TransferRequestsSurviveTheWire) {
  const auto decoded = DecodeTransferRequest(Encode(TransferRequest{GroupId(70'000), NodeId(3)}));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->group, GroupId(70'000));
  EXPECT_EQ(decoded->to, NodeId(3));
  EXPECT_FALSE(DecodeTransferRequest("short").ok());
}

// Without a reason, clients take the node they asked for gone, and soon all nodes.
TEST(PeerMethodsTest, AControllerThatWentAwayIsSaidToClientsWithAReason) {
  const absl::Status gone = AsNoController(absl::UnavailableError("connection closed"));
  EXPECT_EQ(gone.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(base::GetErrorInfo(gone)->reason, base::reason::kNotLeader);
  const absl::Status refused = absl::InvalidArgumentError("no");
  EXPECT_EQ(AsNoController(refused), refused);
  const absl::Status named =
      base::MakeError(absl::StatusCode::kUnavailable, "later", base::reason::kOverloaded);
  EXPECT_EQ(AsNoController(named), named);
}

}  // namespace
}  // namespace cairn::cluster
