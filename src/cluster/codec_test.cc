// Commands and snapshots as bytes: what goes in comes out, and nothing is ignored.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/cluster_testing.h"
#include "cluster/command.h"
#include "cluster/metadata.h"
#include "cluster/peer_methods.h"

namespace cairn::cluster {
namespace {

using ::testing::HasSubstr;

std::vector<Command> OneOfEach() {
  CreateTopic create{.name = "orders", .id = TestUuid(4), .replication_factor = 2};
  create.partitions = {Ids({1, 2}), Ids({2, 1})};
  create.settings.retention_ms = 5;
  create.time_ms = 6;
  AlterTopic alter{.name = "orders", .replication_factor = 0};
  alter.settings.segment_ms = 9;
  return {
      InitCluster{TestUuid(1), TestUuid(2), TestDescription("a", "r1"), {}, 3},
      RegisterNode{TestUuid(3), TestDescription("b"), NodeId(1), 4},
      UpdateNode{
          .node = NodeId(1), .rpc_address = "h:1", .rack = "", .gossip_address = "10.0.0.1:8401"},
      SetNodeState{NodeId(2), NodeState::kDraining, 5},
      RemoveNode{NodeId(2), 6},
      create,
      alter,
      DeleteTopic{"orders"},
      SetReplicas{TopicNumber(7), PartitionId(3), Ids({3, 1, 2})},
      AllocateProducerIds{1000},
      ChangeSettings{.grace_ms = 60'000},
      SetAccessPolicy{.model = "[matchers]", .policy = "p, \"a\"\n", .expected_version = 0}};
}

TEST(CommandCodecTest, EveryCommandSurvives) {
  const auto commands = OneOfEach();
  ASSERT_EQ(commands.size(), std::variant_size_v<Command>) << "a command is missing here";
  for (const Command& command : commands) {
    const auto decoded = DecodeCommand(Encode(command));
    ASSERT_TRUE(decoded.ok()) << Encode(command) << ": " << decoded.status();
    EXPECT_EQ(*decoded, command) << Encode(command);
    EXPECT_EQ(Encode(*decoded), Encode(command));
  }
}

// What is in the log of a running cluster must stay readable: change this text only together with
// kMetadataFormat.
TEST(CommandCodecTest, LooksAsItAlwaysDid) {
  EXPECT_EQ(Encode(RegisterNode{TestUuid(3), TestDescription("b", "r1"), NodeId(1), 4}),
            "{\"command\":\"register_node\",\"uuid\":\"" + TestUuid(3).ToString() +
                "\",\"name\":\"b\",\"rpc_address\":\"b:8400\",\"rack\":\"r1\","
                "\"version\":\"0.1.0\",\"replaces\":1,\"time_ms\":4}");
  EXPECT_EQ(Encode(SetReplicas{TopicNumber(7), PartitionId(3), Ids({3, 1})}),
            R"({"command":"set_replicas","topic":7,"partition":3,"replicas":[3,1]})");
}

TEST(CommandCodecTest, RefusesWhatANewerProgramWrote) {
  auto status = DecodeCommand(R"({"command":"split_partition","topic":7})").status();
  EXPECT_TRUE(absl::IsUnimplemented(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("split_partition"));
  status = DecodeCommand(R"({"command":"delete_topic","name":"t","purge":true})").status();
  EXPECT_TRUE(absl::IsUnimplemented(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("purge"));
  status = DecodeCommand(R"({"command":"set_node_state","node":1,"state":"asleep","time_ms":1})")
               .status();
  EXPECT_TRUE(absl::IsUnimplemented(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("asleep"));
}

TEST(CommandCodecTest, NamesTheFieldThatIsWrong) {
  const auto message = [](const char* text) {
    const auto decoded = DecodeCommand(text);
    EXPECT_TRUE(absl::IsInvalidArgument(decoded.status())) << text << decoded.status();
    return std::string(decoded.status().message());
  };
  EXPECT_EQ(message(""), "the command is not a JSON object");
  EXPECT_EQ(message("[1]"), "the command is not a JSON object");
  EXPECT_EQ(message("{}"), "command is missing");
  EXPECT_EQ(message(R"({"command":"delete_topic"})"), "delete_topic: name is missing");
  EXPECT_EQ(message(R"({"command":"delete_topic","name":1})"), "delete_topic: name is not a text");
  EXPECT_EQ(message(R"({"command":"allocate_producer_ids","count":1.5})"),
            "allocate_producer_ids: count is not an integer");
  EXPECT_EQ(message(R"({"command":"allocate_producer_ids","count":18446744073709551615})"),
            "allocate_producer_ids: count is 18446744073709551615, expected -9223372036854775808 "
            "to 9223372036854775807");
  EXPECT_EQ(message(R"({"command":"remove_node","node":0,"time_ms":1})"),
            "remove_node: node is 0, expected 1 to 2147483647");
  EXPECT_EQ(message(R"({"command":"set_replicas","topic":1,"partition":0,"replicas":[1,"2"]})"),
            "set_replicas: replicas names \"2\", which is no node id");
}

Metadata Everything() {
  Metadata metadata = TestCluster({"r1", "r2", "", "r1"});
  Create(metadata, "orders", {Ids({1, 2, 3}), Ids({4, 2})});
  Create(metadata, "gone", {Ids({1})});
  Create(metadata, "logs", {Ids({3})}, 1);
  Do(metadata, DeleteTopic{"gone"});
  Do(metadata, SetReplicas{TopicNumber(1), PartitionId(0), Ids({4, 2, 3})});
  Do(metadata, AllocateProducerIds{1000});
  Do(metadata, ChangeSettings{.grace_ms = 1234});
  Do(metadata, SetAccessPolicy{.model = "[matchers]\n", .policy = "p, a\n", .time_ms = 7});
  Join(metadata);
  Do(metadata, SetNodeState{NodeId(4), NodeState::kDead, 50});
  Do(metadata, SetNodeState{NodeId(5), NodeState::kDraining, 50});
  Do(metadata, RemoveNode{NodeId(5), 60});
  return metadata;
}

TEST(MetadataCodecTest, EverythingSurvives) {
  for (const Metadata& metadata : {Metadata(), TestCluster(1), Everything()}) {
    const std::string text = metadata.Encode();
    const auto decoded = Metadata::Decode(text);
    ASSERT_TRUE(decoded.ok()) << text << decoded.status();
    EXPECT_EQ(*decoded, metadata);
    EXPECT_EQ(decoded->Encode(), text);
  }
}

std::string Replace(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

TEST(MetadataCodecTest, NamesTheFieldThatIsDamaged) {
  const std::string text = Everything().Encode();
  const auto message = [&](const std::string& from, const std::string& to) {
    const auto decoded = Metadata::Decode(Replace(text, from, to));
    EXPECT_TRUE(absl::IsDataLoss(decoded.status())) << from << decoded.status();
    return std::string(decoded.status().message());
  };
  EXPECT_THAT(message(R"("id":3)", R"("id":2)"), HasSubstr("nodes[2]: id comes twice"));
  EXPECT_THAT(message(R"("id":3)", R"("id":"3")"), HasSubstr("nodes[2].id is not an integer"));
  EXPECT_THAT(message(R"("rack":"r2",)", ""), HasSubstr("nodes[1].rack is missing"));
  EXPECT_THAT(message(R"("replicas":[4,2,3])", R"("replicas":[9])"),
              HasSubstr("topics[0]: replica on node 9, which is unknown"));
  EXPECT_THAT(message(R"("founders":[2,3])", R"("founders":[4])"),
              HasSubstr("topics[0].partitions[0].founders names node 4"));
  EXPECT_THAT(message(R"("grace_ms":1234)", R"("grace_ms":-1)"), HasSubstr("settings: grace_ms"));
  EXPECT_THAT(message(R"("next_topic":4)", R"("next_topic":2)"),
              HasSubstr("topics[1]: number is not given out yet"));
}

TEST(MetadataCodecTest, RefusesANewerFormat) {
  const std::string text = Everything().Encode();
  EXPECT_TRUE(absl::IsUnimplemented(
      Metadata::Decode(Replace(text, R"("format":1)", R"("format":2)")).status()));
  const auto status =
      Metadata::Decode(Replace(text, R"("rack":"r2",)", R"("rack":"r2","zone":"z",)")).status();
  EXPECT_TRUE(absl::IsUnimplemented(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("nodes[1].zone"));
}

TEST(GroupIdTest, NamesTopicAndPartition) {
  const GroupId group = GroupOf(TopicNumber(5), PartitionId(9'999));
  EXPECT_EQ(TopicOf(group), TopicNumber(5));
  EXPECT_EQ(PartitionOf(group), PartitionId(9'999));
  EXPECT_EQ(TopicOf(kControllerGroup), TopicNumber(0));
}

TEST(InquiryCodecTest, EveryQuestionSurvivesAndNothingElseIsTaken) {
  using What = Inquiry::What;
  for (const What what : {What::kMetrics, What::kDiagnostics}) {
    const auto decoded = DecodeInquiry(Encode(Inquiry{what, {"cairn_ready", "a:b"}}));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(decoded->what, what);
    EXPECT_THAT(decoded->names, ::testing::ElementsAre("cairn_ready", "a:b"));
  }
  EXPECT_EQ(DecodeInquiry(R"({"what":"weather","names":[]})").status().code(),
            absl::StatusCode::kUnimplemented);
  const std::string many = Encode(Inquiry{.names = std::vector<std::string>(65, "a")});
  for (const char* bad :
       {"", "[]", R"({"what":"metrics"})", R"({"what":"metrics","names":[1]})",
        R"({"what":"metrics","names":["a b"]})", R"({"what":"metrics","names":[""]})",
        R"({"what":"metrics","names":{}})", many.c_str()}) {
    EXPECT_EQ(DecodeInquiry(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

}  // namespace
}  // namespace cairn::cluster
