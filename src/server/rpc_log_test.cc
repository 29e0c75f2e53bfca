// What the log says of RPCs: a line each, of streams one at either end.
#include "server/rpc_log.h"

#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "server/server_fixture.h"

namespace cairn::server {
namespace {

using Json = nlohmann::json;

class RpcLogTest : public ServerFixture {
 protected:
  void SetUp() override {
    logger_->SetLevels(*LogLevels::Parse("info,rpc=debug"));
    ServerFixture::SetUp();
  }
  std::vector<Json> Lines(const std::string& message) {
    std::vector<Json> found;
    std::istringstream lines(log_lines_.str());
    for (std::string line; std::getline(lines, line);) {
      if (Json json = Json::parse(line); json["msg"] == message) found.push_back(std::move(json));
    }
    return found;
  }
  // Waits for the line: it is written when gRPC is done with the call, after the client has its
  // answer.
  Json Only(const std::string& message) {
    EXPECT_TRUE(Await([&] { return Lines(message).size() == 1; })) << log_lines_.str();
    const auto lines = Lines(message);
    return lines.empty() ? Json::object() : lines.front();
  }
};

TEST_F(RpcLogTest, ARpcHasALine) {
  ASSERT_TRUE(ProduceValue("payload").ok());
  const Json line = Only("rpc");
  EXPECT_EQ(line["module"], "rpc");
  EXPECT_EQ(line["level"], "debug");
  EXPECT_EQ(line["method"], "/log.v1.Log/Produce");
  EXPECT_EQ(line["code"], "OK");
  EXPECT_EQ(line["topic"], "default");
  EXPECT_EQ(line["partition"], 0);
  EXPECT_EQ(line["subject"], "");
  EXPECT_THAT(line["peer"].get<std::string>(), testing::StartsWith("ipv4:127.0.0.1:"));
  EXPECT_GT(line["duration_ns"].get<int64_t>(), 0);
  EXPECT_EQ(line["requests"], 1);
  EXPECT_EQ(line["responses"], 1);
  EXPECT_THAT(log_lines_.str(), testing::Not(testing::HasSubstr("payload")));
}

TEST_F(RpcLogTest, AFailureIsToldAsAWarning) {
  EXPECT_FALSE(ProduceValue("x", "no-such-topic").ok());
  const Json line = Only("rpc");
  EXPECT_EQ(line["level"], "warn");
  EXPECT_EQ(line["code"], "NOT_FOUND");
  EXPECT_EQ(line["reason"], "UNKNOWN_TOPIC");
  EXPECT_EQ(line["responses"], 0);
}

TEST_F(RpcLogTest, AStreamHasALineWhenItOpensAndOneWithCountsWhenItCloses) {
  grpc::ClientContext context;
  SetDeadline(context);
  auto stream = log_->ProduceStream(&context);
  logapi::v1::ProduceRequest request;
  request.mutable_record()->set_value("x");
  logapi::v1::ProduceResponse response;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(stream->Write(request));
    ASSERT_TRUE(stream->Read(&response));
  }
  EXPECT_EQ(Only("stream opened")["method"], "/log.v1.Log/ProduceStream");
  EXPECT_TRUE(Lines("stream closed").empty());
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
  const Json closed = Only("stream closed");
  EXPECT_EQ(closed["requests"], 3);
  EXPECT_EQ(closed["responses"], 3);
  EXPECT_EQ(closed["topic"], "default");
  EXPECT_EQ(closed["code"], "OK");
  EXPECT_TRUE(Lines("rpc").empty());
}

TEST_F(RpcLogTest, AConsumerThatGoesAwayClosesItsStream) {
  ASSERT_TRUE(ProduceValue("x").ok());
  grpc::ClientContext context;
  SetDeadline(context);
  auto stream = log_->ConsumeStream(&context, {});
  logapi::v1::ConsumeResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(Only("stream opened")["topic"], "default");
  context.TryCancel();
  (void)stream->Finish();
  const Json closed = Only("stream closed");
  EXPECT_EQ(closed["level"], "debug");
  EXPECT_EQ(closed["code"], "CANCELLED");
  EXPECT_EQ(closed["responses"], 1);
}

TEST_F(RpcLogTest, ALineNamesTheTraceThatItsCallerNamed) {
  const auto produce = [&](const std::string& traceparent) {
    grpc::ClientContext context;
    SetDeadline(context);
    context.AddMetadata("traceparent", traceparent);
    logapi::v1::ProduceRequest request;
    request.mutable_record()->set_value("x");
    logapi::v1::ProduceResponse response;
    EXPECT_TRUE(log_->Produce(&context, request, &response).ok());
  };
  const std::string trace(32, 'a');
  produce("00-" + trace + "-00000000000000b7-01");
  Json line = Only("rpc");
  EXPECT_EQ(line["trace_id"], trace);
  EXPECT_EQ(line["span_id"], "00000000000000b7");
  produce("garbage");
  ASSERT_TRUE(Await([&] { return Lines("rpc").size() == 2; }));
  EXPECT_FALSE(Lines("rpc").back().contains("trace_id"));
}

TEST_F(RpcLogTest, NothingIsToldBelowTheLevel) {
  logger_->SetLevels(LogLevel::kInfo);
  ASSERT_TRUE(ProduceValue("x").ok());
  server_->Stop();
  EXPECT_TRUE(Lines("rpc").empty());
}

}  // namespace
}  // namespace cairn::server
