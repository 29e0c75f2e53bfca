// Every RPC, asked by whoever may each of the actions, as access_table.txt says.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "absl/strings/str_split.h"
#include "server/secure_fixture.h"

namespace cairn::server {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::MethodDescriptor;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kActions[] = {"produce", "consume",  "create", "delete",
                                    "alter",   "describe", "cluster"};

struct Row {
  const MethodDescriptor* method = nullptr;
  std::string topic_field;  // "": none
  std::set<std::string> actions;
  bool identity_only = false;
};

std::vector<Row> ReadTable() {
  std::ifstream file(ACCESS_TABLE);
  std::vector<Row> rows;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    Row row;
    row.method = DescriptorPool::generated_pool()->FindMethodByName(words.at(0));
    EXPECT_NE(row.method, nullptr) << words.at(0);
    if (words.at(1) != "-") row.topic_field = words[1];
    row.actions.insert(words.begin() + 2, words.end());
    row.identity_only = row.actions.erase("identity") > 0;
    rows.push_back(std::move(row));
  }
  return rows;
}

class AccessTableTest : public SecureFixture {
 protected:
  void SetUp() override {
    std::string rules;
    for (const std::string action : kActions) {
      rules += "p, may-" + action + ", orders, " + action + ", allow\n";
      rules += "p, may-" + action + ", *, " + action + ", allow\n";
    }
    WritePolicy(rules);
    StartServer();
  }

  // The request is made of the field that names the topic alone: what is refused is refused before
  // anything else is looked at.
  grpc::Status Ask(const std::shared_ptr<grpc::Channel>& channel, const Row& row,
                   const std::string& topic) {
    google::protobuf::DynamicMessageFactory factory;
    const std::unique_ptr<google::protobuf::Message> request(
        factory.GetPrototype(row.method->input_type())->New());
    if (!row.topic_field.empty()) {
      const auto* field = row.method->input_type()->FindFieldByName(row.topic_field);
      EXPECT_NE(field, nullptr) << row.method->full_name();
      request->GetReflection()->SetString(request.get(), field, topic);
    }
    channel_ = channel;
    std::string response;
    return CallRaw("/" + row.method->service()->full_name() + "/" + row.method->name(),
                   request->SerializeAsString(), response);
  }
};

TEST_F(AccessTableTest, HasEveryRpc) {
  std::set<std::string> known;
  for (const Row& row : ReadTable()) known.insert(row.method->full_name());
  for (const char* name : {"log.v1.Log", "cairn.v1.Admin"}) {
    const auto* service = DescriptorPool::generated_pool()->FindServiceByName(name);
    for (int i = 0; i < service->method_count(); ++i) {
      EXPECT_TRUE(known.contains(service->method(i)->full_name()))
          << service->method(i)->full_name() << " is missing in access_table.txt";
    }
  }
}

TEST_F(AccessTableTest, EachSubjectMayWhatTheTableSaysAndNothingElse) {
  std::vector<std::string> subjects = {"may-nothing"};
  for (const std::string action : kActions) subjects.push_back("may-" + action);
  int denied = 0;
  int passed = 0;
  for (const std::string& subject : subjects) {
    const auto channel = ChannelOf(subject);
    for (const Row& row : ReadTable()) {
      for (const std::string topic : {"orders", "secrets"}) {
        const bool about_topic = !row.topic_field.empty();
        const bool may =
            row.identity_only || ((topic == "orders" || !about_topic) &&
                                  row.actions.contains(subject.substr(std::string("may-").size())));
        const grpc::Status status = Ask(channel, row, topic);
        const std::string what = subject + " " + row.method->full_name() + " " + topic;
        EXPECT_EQ(status.error_code() != grpc::PERMISSION_DENIED, may)
            << what << ": " << status.error_message();
        EXPECT_NE(status.error_code(), grpc::UNAUTHENTICATED) << what;
        if (!may) {
          EXPECT_THAT(status.error_message(), HasSubstr(subject + " not permitted to ")) << what;
          EXPECT_THAT(status.error_message(), HasSubstr(about_topic ? " to " + topic : " to *"))
              << what;
        }
        ++(may ? passed : denied);
      }
    }
  }
  EXPECT_GT(denied, 200);
  EXPECT_GT(passed, 40);
}

TEST_F(AccessTableTest, ACertificateWithoutANameIsNobody) {
  security::CertificateRequest request = ClientRequest("x");
  request.common_name = " ";  // what a careless authority signs
  const absl::Status status = ProduceOver(ChannelOf(Issue(request)), "orders");
  EXPECT_FALSE(status.ok());
}

class AccessTest : public SecureFixture {
 protected:
  std::vector<std::string> TopicsOf(const std::string& subject) {
    grpc::ClientContext context;
    SetDeadline(context);
    cairn::v1::ListTopicsResponse response;
    const auto status =
        cairn::v1::Admin::NewStub(ChannelOf(subject))->ListTopics(&context, {}, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    std::vector<std::string> names;
    for (const auto& topic : response.topics()) names.push_back(topic.name());
    return names;
  }
  void CreateAs(const std::string& subject, const std::string& topic) {
    admin_ = cairn::v1::Admin::NewStub(ChannelOf(subject));
    const absl::Status created = CreateTopic(topic);
    ASSERT_TRUE(created.ok()) << created;
  }
  void ReloadPolicy(const std::string& rules) {
    const std::string before = Logged();
    WritePolicy(rules);
    server_->Reload(Config());
    ASSERT_TRUE(Await([&] { return Logged().size() > before.size(); }));
  }
};

TEST_F(AccessTest, ListsShowWhatTheCallerMaySee) {
  ReloadPolicy(
      "p, root, a, create, allow\np, root, b, create, allow\np, alice, a, consume, allow\n"
      "p, bob, a, consume, allow\np, bob, a, describe, deny\n");
  CreateAs("root", "a");
  CreateAs("root", "b");
  EXPECT_THAT(TopicsOf("alice"), ElementsAre("a"));
  EXPECT_THAT(TopicsOf("bob"), IsEmpty());
}

TEST_F(AccessTest, StreamsEndWhenTheirCallerMayNoMore) {
  const std::string allowed =
      "p, root, a, create, allow\np, alice, a, consume, allow\n"
      "p, alice, a, produce, allow\n";
  ReloadPolicy(allowed);
  CreateAs("root", "a");
  const auto channel = ChannelOf("alice");
  const auto stub = logapi::v1::Log::NewStub(channel);

  grpc::ClientContext read_context;
  SetDeadline(read_context);
  logapi::v1::ConsumeRequest read;
  read.set_topic("a");
  const auto reader = stub->ConsumeStream(&read_context, read);
  grpc::ClientContext write_context;
  SetDeadline(write_context);
  const auto writer = stub->ProduceStream(&write_context);
  logapi::v1::ProduceRequest write;
  write.set_topic("a");
  write.mutable_record()->set_value("x");
  ASSERT_TRUE(writer->Write(write));
  logapi::v1::ProduceResponse written;
  ASSERT_TRUE(writer->Read(&written));
  logapi::v1::ConsumeResponse got;
  ASSERT_TRUE(reader->Read(&got));

  // A new policy that still allows it disturbs nobody.
  ReloadPolicy(allowed + "p, bob, a, consume, allow\n");
  ASSERT_TRUE(writer->Write(write));
  ASSERT_TRUE(writer->Read(&written));
  ASSERT_TRUE(reader->Read(&got));

  // The reader waits at the end of the log; the writer is quiet.
  ReloadPolicy("p, root, a, create, allow\n");
  EXPECT_FALSE(reader->Read(&got));
  EXPECT_EQ(reader->Finish().error_code(), grpc::PERMISSION_DENIED);
  writer->Write(write);
  EXPECT_FALSE(writer->Read(&written));
  EXPECT_EQ(writer->Finish().error_code(), grpc::PERMISSION_DENIED);
  EXPECT_TRUE(Await([&] { return server_->open_streams() == 0; }));
}

TEST_F(AccessTest, ABrokenPolicyIsRefusedWholeAndSaidOnce) {
  ReloadPolicy("p, root, a, create, allow\n");
  CreateAs("root", "a");
  ReloadPolicy("p, root, a, create, allow\nnonsense, 1\n");
  EXPECT_THAT(Logged(), HasSubstr("policy refused, the last good one stays"));
  EXPECT_THAT(Logged(), HasSubstr("policy.csv:3"));
  EXPECT_EQ(ProduceOver(ChannelOf("root"), "a").code(), absl::StatusCode::kPermissionDenied);
  admin_ = cairn::v1::Admin::NewStub(ChannelOf("root"));
  EXPECT_EQ(Reason(CreateTopic("a")), "TOPIC_EXISTS");
}

class AuditTest : public AccessTest {
 protected:
  ServerConfig Config() override {
    ServerConfig config = AccessTest::Config();
    config.audit.path = File("audit.jsonl");
    return config;
  }
};

TEST_F(AuditTest, DenialsAreWrittenDownOneForEachDecision) {
  ReloadPolicy("p, root, a, create, allow\np, root, a, describe, allow\n");
  CreateAs("root", "a");
  const auto mallory = ChannelOf("mallory");
  EXPECT_FALSE(ProduceOver(mallory, "a").ok());
  EXPECT_FALSE(ProduceOver(mallory).ok());
  server_->Stop();
  std::ifstream file(File("audit.jsonl"));
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0]["subject"], "mallory");
  EXPECT_EQ(lines[0]["action"], "produce");
  EXPECT_EQ(lines[0]["object"], "a");
  EXPECT_EQ(lines[0]["allowed"], false);
  EXPECT_THAT(lines[0]["address"].get<std::string>(), HasSubstr("127.0.0.1:"));
  EXPECT_EQ(lines[1]["object"], "default");
}

}  // namespace
}  // namespace cairn::server
