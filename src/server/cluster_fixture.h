// For tests: three servers that are one cluster, in this process, on free ports over temporary
// directories; and the client library to reach them.
#pragma once

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "api/status_codec.h"
#include "base/error_info.h"
#include "cairn/admin.h"
#include "cairn/client.h"
#include "env/host_port.h"
#include "env/temporary_directory.h"
#include "log/v1/log.grpc.pb.h"
#include "server/log_lines.h"
#include "server/logger.h"
#include "server/server.h"

namespace cairn::server {

class ClusterFixture : public testing::Test {
 protected:
  static constexpr int kNodes = 3;

  void SetUp() override {
    for (int i = 0; i < kNodes; ++i) {
      StartNode(i);
      // One after the other: who joins first gets the lower number.
      ASSERT_TRUE(Await([&] { return NodeAt(i).id() == NodeId(i + 1); })) << log_lines_.str();
    }
    const auto complete = [this] {
      return std::all_of(servers_.begin(), servers_.end(), [](const auto& server) {
        return server->node().Servers().size() == kNodes && server->node().Readiness().ok();
      });
    };
    ASSERT_TRUE(Await(complete)) << log_lines_.str();
    std::string all;
    for (int i = 0; i < kNodes; ++i) all += (i == 0 ? "" : ",") + Address(i);
    auto client = Client::Create({.address = all});
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
    admin_ = std::make_unique<Admin>(client_);
  }

  // What a test wants otherwise.
  virtual void Adjust(ServerConfig&) {}

  void TearDown() override {
    admin_.reset();
    client_.reset();
    // All at once, as `systemctl stop` on three machines would be: the last two have no majority.
    std::vector<std::thread> stops;
    for (auto& server : servers_) stops.emplace_back([&server] { server.reset(); });
    for (std::thread& stop : stops) stop.join();
  }

  // Node `index` + 1 of the cluster; after StopNode at its old address.
  void StartNode(int index) {
    ServerConfig config;
    config.data_dir = directory_.path() + "/" + std::to_string(index);
    config.node_name = "node-" + std::to_string(index + 1);
    config.shards = 1;
    config.bind_addr = "127.0.0.1:0";
    std::string& address = addresses_[static_cast<size_t>(index)];
    config.rpc_port = address.empty() ? 0 : env::ParseHostPort(address)->port;
    if (index > 0) config.start_join_addrs = {Address(0)};
    Adjust(config);
    auto server = Server::Start(config, *logger_);
    ASSERT_TRUE(server.ok()) << server.status();
    address = (*server)->address();
    servers_[static_cast<size_t>(index)] = *std::move(server);
  }
  void StopNode(int index) { servers_[static_cast<size_t>(index)].reset(); }

  cluster::Node& NodeAt(int index) { return servers_[static_cast<size_t>(index)]->node(); }
  const std::string& Address(int index) const { return addresses_[static_cast<size_t>(index)]; }

  // A topic with a copy on each node, of which all vote.
  void CreateTopic(const std::string& name, int32_t partitions = 1) {
    const auto created =
        admin_->CreateTopic({.name = name, .partition_count = partitions, .replication_factor = 3});
    ASSERT_TRUE(created.ok()) << created.status();
    ASSERT_TRUE(Await([&] { return InSync(name); })) << log_lines_.str();
  }
  bool InSync(const std::string& topic) {
    const auto cluster = admin_->DescribeCluster(topic);
    return cluster.ok() && std::none_of(cluster->partitions.begin(), cluster->partitions.end(),
                                        [](const auto& row) { return row.under_replicated; });
  }

  // The index of the node that leads, and of one that does not.
  int LeaderOf(const std::string& topic, int32_t partition = 0) {
    int leader = -1;
    EXPECT_TRUE(Await([&] {
      const auto info = admin_->DescribeTopic(topic);
      if (info.ok()) leader = info->partitions[static_cast<size_t>(partition)].leader - 1;
      return leader >= 0 && servers_[static_cast<size_t>(leader)] != nullptr &&
             NodeAt(leader).LeaderOf(GroupAt(leader, topic, partition)).value() == leader + 1;
    }));
    return leader;
  }
  int FollowerOf(const std::string& topic) { return (LeaderOf(topic) + 1) % kNodes; }
  GroupId GroupAt(int index, const std::string& topic, int32_t partition) {
    const auto view = NodeAt(index).metadata();
    const cluster::Topic* found = view->metadata.FindTopic(topic);
    return found == nullptr ? GroupId() : found->group(static_cast<size_t>(partition));
  }

  std::unique_ptr<logapi::v1::Log::Stub> StubOf(int index) {
    return logapi::v1::Log::NewStub(
        grpc::CreateChannel(Address(index), grpc::InsecureChannelCredentials()));
  }
  // One record, through the node `index`; its offset.
  absl::StatusOr<uint64_t> ProduceAt(int index, const std::string& topic,
                                     const std::string& value = "x") {
    grpc::ClientContext context;
    SetDeadline(context);
    logapi::v1::ProduceRequest request;
    request.set_topic(topic);
    request.mutable_record()->set_value(value);
    logapi::v1::ProduceResponse response;
    const grpc::Status status = StubOf(index)->Produce(&context, request, &response);
    if (!status.ok()) return api::FromGrpcStatus(status);
    return response.offset();
  }
  static void SetDeadline(grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  }

  // Waits until `condition` holds, at most a minute.
  template <typename Condition>
  [[nodiscard]] static bool Await(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return true;
  }

  env::TemporaryDirectory directory_;
  LogLines log_lines_;
  std::unique_ptr<Logger> logger_ = Logger::ToStream(log_lines_, LogLevel::kInfo, LogFormat::kJson);
  std::array<std::string, kNodes> addresses_;
  std::array<std::unique_ptr<Server>, kNodes> servers_;
  std::shared_ptr<Client> client_;  // shared with producers and consumers
  std::unique_ptr<Admin> admin_;
};

}  // namespace cairn::server
