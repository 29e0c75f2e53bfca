// For tests: a server on a free port over a temporary directory, and stubs that reach it over
// loopback.
#pragma once

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <sstream>
#include <string>
#include <thread>

#include "api/status_codec.h"
#include "base/error_info.h"
#include "cairn/v1/admin.grpc.pb.h"
#include "env/temporary_directory.h"
#include "log/v1/log.grpc.pb.h"
#include "server/log_lines.h"
#include "server/logger.h"
#include "server/server.h"

namespace cairn::server {

class ServerFixture : public testing::Test {
 protected:
  void SetUp() override { StartServer(); }

  virtual ServerConfig Config() {
    ServerConfig config;
    config.data_dir = directory_.path() + "/data";
    config.rpc_port = 0;
    config.bind_addr = "127.0.0.1:0";
    config.node_name = "node-1";
    config.shards = 2;
    return config;
  }

  void StartServer() {
    auto server = Server::Start(Config(), *logger_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    channel_ = NewChannel();
    log_ = logapi::v1::Log::NewStub(channel_);
    admin_ = cairn::v1::Admin::NewStub(channel_);
  }

  std::shared_ptr<grpc::Channel> NewChannel() {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own
    return grpc::CreateCustomChannel(server_->address(), grpc::InsecureChannelCredentials(),
                                     arguments);
  }

  // Every call of a test ends in time, so that a fault fails the test instead of hanging it.
  static void SetDeadline(grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  }

  absl::Status CreateTopic(const std::string& name, int32_t partitions = 1,
                           const cairn::v1::TopicSettings& settings = {}) {
    grpc::ClientContext context;
    SetDeadline(context);
    cairn::v1::CreateTopicRequest request;
    request.set_name(name);
    request.set_partition_count(partitions);
    *request.mutable_settings() = settings;
    cairn::v1::CreateTopicResponse response;
    return api::FromGrpcStatus(admin_->CreateTopic(&context, request, &response));
  }

  absl::StatusOr<logapi::v1::ProduceResponse> Produce(const logapi::v1::ProduceRequest& request) {
    grpc::ClientContext context;
    SetDeadline(context);
    logapi::v1::ProduceResponse response;
    const grpc::Status status = log_->Produce(&context, request, &response);
    if (!status.ok()) return api::FromGrpcStatus(status);
    return response;
  }

  absl::StatusOr<logapi::v1::ProduceResponse> ProduceValue(const std::string& value,
                                                           const std::string& topic = "") {
    logapi::v1::ProduceRequest request;
    request.set_topic(topic);
    request.mutable_record()->set_value(value);
    return Produce(request);
  }

  absl::StatusOr<logapi::v1::ConsumeResponse> Consume(const logapi::v1::ConsumeRequest& request) {
    grpc::ClientContext context;
    SetDeadline(context);
    logapi::v1::ConsumeResponse response;
    const grpc::Status status = log_->Consume(&context, request, &response);
    if (!status.ok()) return api::FromGrpcStatus(status);
    return response;
  }

  // A unary call with bytes instead of messages.
  grpc::Status CallRaw(const std::string& method, const std::string& request,
                       std::string& response) {
    grpc::ClientContext context;
    SetDeadline(context);
    const grpc::Slice slice(request);
    const grpc::ByteBuffer sent(&slice, 1);
    grpc::ByteBuffer received;
    std::promise<grpc::Status> done;
    grpc::GenericStub(channel_).UnaryCall(&context, method, grpc::StubOptions(), &sent, &received,
                                          [&](grpc::Status status) { done.set_value(status); });
    grpc::Status status = done.get_future().get();
    grpc::Slice bytes;
    if (status.ok() && received.DumpToSingleSlice(&bytes).ok()) {
      response.assign(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
    }
    return status;
  }

  // Waits until `condition` holds, at most a minute.
  template <typename Condition>
  [[nodiscard]] static bool Await(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }

  static std::string Reason(const absl::Status& status) {
    const auto info = base::GetErrorInfo(status);
    return info.has_value() ? info->reason : "";
  }
  static std::string Metadata(const absl::Status& status, const std::string& key) {
    const auto info = base::GetErrorInfo(status);
    if (!info.has_value() || !info->metadata.contains(key)) return "";
    return info->metadata.at(key);
  }

  env::TemporaryDirectory directory_;
  LogLines log_lines_;
  std::unique_ptr<Logger> logger_ = Logger::ToStream(log_lines_, LogLevel::kInfo, LogFormat::kJson);
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<logapi::v1::Log::Stub> log_;
  std::unique_ptr<cairn::v1::Admin::Stub> admin_;
};

}  // namespace cairn::server
