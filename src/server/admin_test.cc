// cairn.v1.Admin, GetServers, health and reflection over loopback.
#include "server/server_fixture.h"

namespace cairn::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class AdminTest : public ServerFixture {
 protected:
  grpc::Status Describe(const std::string& name, cairn::v1::Topic& topic) {
    grpc::ClientContext context;
    SetDeadline(context);
    cairn::v1::DescribeTopicRequest request;
    request.set_name(name);
    cairn::v1::DescribeTopicResponse response;
    const grpc::Status status = admin_->DescribeTopic(&context, request, &response);
    topic = response.topic();
    return status;
  }
  std::vector<std::string> Topics() {
    grpc::ClientContext context;
    SetDeadline(context);
    cairn::v1::ListTopicsResponse response;
    EXPECT_TRUE(admin_->ListTopics(&context, {}, &response).ok());
    std::vector<std::string> names;
    for (const auto& topic : response.topics()) names.push_back(topic.name());
    return names;
  }
};

TEST_F(AdminTest, CreatesDescribesAltersListsAndDeletesTopics) {
  EXPECT_THAT(Topics(), ElementsAre("default"));
  cairn::v1::TopicSettings settings;
  settings.set_retention_ms(60'000);
  ASSERT_TRUE(CreateTopic("orders", 3, settings).ok());
  EXPECT_THAT(Topics(), ElementsAre("default", "orders"));
  ASSERT_TRUE(ProduceValue("x", "orders").ok());

  cairn::v1::Topic topic;
  ASSERT_TRUE(Describe("orders", topic).ok());
  EXPECT_EQ(topic.partition_count(), 3);
  EXPECT_EQ(topic.settings().retention_ms(), 60'000);
  EXPECT_EQ(topic.id().size(), 36u);
  ASSERT_EQ(topic.partitions_size(), 3);
  EXPECT_EQ(topic.partitions(0).high_watermark(), 1u);
  EXPECT_EQ(topic.partitions(1).high_watermark(), 0u);
  EXPECT_EQ(topic.partitions(2).error(), "");

  grpc::ClientContext alter;
  cairn::v1::AlterTopicRequest change;
  change.set_name("orders");
  change.mutable_settings()->set_max_record_bytes(10);
  cairn::v1::AlterTopicResponse altered;
  ASSERT_TRUE(admin_->AlterTopic(&alter, change, &altered).ok());
  EXPECT_EQ(altered.topic().settings().retention_ms(), 60'000);
  EXPECT_EQ(Reason(ProduceValue(std::string(11, 'x'), "orders").status()),
            base::reason::kRecordTooLarge);

  grpc::ClientContext remove;
  cairn::v1::DeleteTopicRequest gone;
  gone.set_name("orders");
  cairn::v1::DeleteTopicResponse deleted;
  ASSERT_TRUE(admin_->DeleteTopic(&remove, gone, &deleted).ok());
  EXPECT_THAT(Topics(), ElementsAre("default"));
  EXPECT_EQ(Reason(api::FromGrpcStatus(Describe("orders", topic))), base::reason::kUnknownTopic);
}

// Its log begins with entries that are no records, and is older than that when the first one comes.
TEST_F(AdminTest, ATopicWhoseSegmentsAgeAtOnceTakesRecords) {
  cairn::v1::TopicSettings settings;
  settings.set_segment_ms(1);
  ASSERT_TRUE(CreateTopic("restless", 1, settings).ok());
  for (uint64_t i = 0; i < 3; ++i) {
    const auto response = ProduceValue("x", "restless");
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->offset(), i);
  }
}

TEST_F(AdminTest, RefusesIllegalNamesNumbersAndSettings) {
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("a/b"),
        std::string("../../etc"), std::string("a b"), std::string("a\nb"), std::string("a\0b", 3),
        std::string(250, 'a')}) {
    const absl::Status status = CreateTopic(name);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(Reason(status), base::reason::kInvalidTopicName) << name;
  }
  EXPECT_TRUE(CreateTopic(std::string(249, 'a')).ok());
  EXPECT_EQ(CreateTopic("n", -1).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CreateTopic("n", 10'001).code(), absl::StatusCode::kInvalidArgument);
  cairn::v1::TopicSettings settings;
  settings.set_segment_bytes(-5);
  EXPECT_EQ(CreateTopic("n", 1, settings).code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(CreateTopic("twice").ok());
  EXPECT_EQ(Reason(CreateTopic("twice")), base::reason::kTopicExists);
}

TEST_F(AdminTest, AllocatesDistinctProducerIds) {
  std::set<int64_t> ids;
  for (int i = 0; i < 5; ++i) {
    grpc::ClientContext context;
    cairn::v1::AllocateProducerIdResponse response;
    ASSERT_TRUE(admin_->AllocateProducerId(&context, {}, &response).ok());
    ids.insert(response.producer_id());
  }
  EXPECT_EQ(ids.size(), 5u);
}

TEST_F(AdminTest, GetServersNamesThisNodeAsTheLeader) {
  grpc::ClientContext context;
  logapi::v1::GetServersResponse response;
  ASSERT_TRUE(log_->GetServers(&context, {}, &response).ok());
  ASSERT_EQ(response.servers_size(), 1);
  EXPECT_EQ(response.servers(0).id(), "node-1");
  EXPECT_EQ(response.servers(0).rpc_addr(), server_->address());
  EXPECT_TRUE(response.servers(0).is_leader());
}

// Debian ships no health.proto: HealthCheckResponse{status = 1 (SERVING)} is the bytes 08 01.
TEST_F(AdminTest, HealthSaysServing) {
  std::string response;
  const grpc::Status status = CallRaw("/grpc.health.v1.Health/Check", "", response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response, "\x08\x01");
}

// ServerReflectionRequest{list_services = 7: ""} in; the answer names the services in clear text.
TEST_F(AdminTest, ReflectionListsTheServicesByTheirWireNames) {
  grpc::ClientContext context;
  SetDeadline(context);
  std::unique_ptr<grpc::ClientReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>> stream(
      grpc::internal::ClientReaderWriterFactory<grpc::ByteBuffer, grpc::ByteBuffer>::Create(
          channel_.get(),
          grpc::internal::RpcMethod(
              "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
              grpc::internal::RpcMethod::BIDI_STREAMING),
          &context));
  const auto ask = [&](const std::string& request) {
    const grpc::Slice slice(request);
    EXPECT_TRUE(stream->Write(grpc::ByteBuffer(&slice, 1)));
    grpc::ByteBuffer response;
    EXPECT_TRUE(stream->Read(&response));
    grpc::Slice bytes;
    EXPECT_TRUE(response.DumpToSingleSlice(&bytes).ok());
    return std::string(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
  };
  const std::string services = ask(std::string("\x3a\x00", 2));
  EXPECT_THAT(services, HasSubstr("log.v1.Log"));
  EXPECT_THAT(services, HasSubstr("cairn.v1.Admin"));
  // file_containing_symbol = 4: the descriptor of the wire package is found.
  EXPECT_THAT(ask("\x22\x0alog.v1.Log"), HasSubstr("ConsumeResponse"));
  stream->WritesDone();
  (void)stream->Finish();
}

}  // namespace
}  // namespace cairn::server
