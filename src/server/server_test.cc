// The life of a server: start, what keeps it from starting, HTTP beside gRPC, stop, start again.
#include "server/server.h"

#include <fstream>
#include <future>

#include "base/strings.h"
#include "env/raw_client.h"
#include "server/server_fixture.h"

namespace cairn::server {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class ServerTest : public ServerFixture {
 protected:
  std::string Get(const std::string& path) {
    env::RawClient client(server_->address());
    client.Send("GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    return client.ReceiveAll();
  }
};

TEST_F(ServerTest, ServesHttpAndGrpcOnOnePort) {
  EXPECT_TRUE(ProduceValue("x").ok());
  EXPECT_THAT(Get("/livez"), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(Get("/readyz"), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(Get("/nope"), StartsWith("HTTP/1.1 404 "));
}

TEST_F(ServerTest, SurvivesHalfAPrefaceAndGarbageBehindIt) {
  env::RawClient half(server_->address());
  half.Send("PRI * HT");
  half.CloseWriting();
  half.ReceiveAll();  // gRPC says its settings, then closes
  env::RawClient garbage(server_->address());
  garbage.Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string(1000, '\xff'));
  garbage.ReceiveAll();
  EXPECT_TRUE(ProduceValue("x").ok());
}

TEST_F(ServerTest, SurvivesHalfAMessageOfAProduceStream) {
  // The HTTP/2 preface, empty SETTINGS, and a HEADERS frame cut in the middle; then the client is
  // gone.
  env::RawClient client(server_->address());
  client.Send(std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", 33));
  client.Send(std::string("\0\0\x40\x01\x04\0\0\0\x01", 9) + "\x83\x86");
  client.Abort();
  EXPECT_TRUE(ProduceValue("x").ok());
  EXPECT_TRUE(Await([&] { return server_->open_streams() == 0; }));
}

TEST_F(ServerTest, KeepsRecordsOverARestart) {
  ASSERT_TRUE(ProduceValue("kept").ok());
  server_->Stop();
  server_.reset();
  StartServer();
  const auto read = Consume({});
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->record().value(), "kept");
}

TEST_F(ServerTest, StopIsQuickWithoutClientsAndIdempotent) {
  const auto begin = std::chrono::steady_clock::now();
  server_->Stop();
  server_->Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3));
  EXPECT_THAT(log_lines_.str(), HasSubstr("\"stopped\""));
}

TEST_F(ServerTest, StopDoesNotWaitForeverForAClientThatDoesNotRead) {
  logapi::v1::ProduceRequest request;
  request.mutable_record()->set_value(std::string(1 << 19, 'x'));
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(Produce(request).ok());
  grpc::ClientContext context;
  auto stream = log_->ConsumeStream(&context, {});
  logapi::v1::ConsumeResponse response;
  ASSERT_TRUE(stream->Read(&response));
  ASSERT_TRUE(Await([&] { return server_->open_streams() == 1; }));
  const auto begin = std::chrono::steady_clock::now();
  server_->Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(kStopDeadlineMs));
  context.TryCancel();
  (void)stream->Finish();
}

TEST_F(ServerTest, NamesTheFlagWhenThePortIsTaken) {
  ServerConfig second = Config();
  second.data_dir += "-2";
  second.rpc_port = static_cast<uint16_t>(std::stoi(server_->address().substr(10)));
  const auto status = Server::Start(second, *logger_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(base::StdView(status.message())), HasSubstr("--rpc-port"));
  EXPECT_THAT(std::string(base::StdView(status.message())), HasSubstr(server_->address()));
}

TEST_F(ServerTest, NamesTheFlagWhenTheGossipAddressIsTaken) {
  ServerConfig second = Config();
  second.data_dir += "-2";
  second.bind_addr =
      server_->node().metadata()->metadata.nodes.begin()->second.description.gossip_address;
  const auto status = Server::Start(second, *logger_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(base::StdView(status.message())), HasSubstr("--bind-addr"));
}

TEST_F(ServerTest, RefusesADataDirectoryInUse) {
  const auto status = Server::Start(Config(), *logger_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
}

TEST_F(ServerTest, RefusesADirectoryThatIsAFile) {
  ServerConfig config = Config();
  config.data_dir = directory_.path() + "/file";
  std::ofstream(config.data_dir) << "x";
  EXPECT_FALSE(Server::Start(config, *logger_).ok());
}

TEST_F(ServerTest, ServesManyConnectionsAtOnce) {
  std::vector<std::future<bool>> calls;
  for (int i = 0; i < 32; ++i) {
    calls.push_back(std::async(std::launch::async, [this] {
      const auto stub = logapi::v1::Log::NewStub(NewChannel());
      for (int k = 0; k < 20; ++k) {
        grpc::ClientContext context;
        SetDeadline(context);
        logapi::v1::ProduceRequest request;
        request.mutable_record()->set_value("x");
        logapi::v1::ProduceResponse response;
        if (!stub->Produce(&context, request, &response).ok()) return false;
      }
      return true;
    }));
  }
  for (auto& call : calls) EXPECT_TRUE(call.get());
  logapi::v1::ConsumeRequest last;
  last.set_offset(639);
  EXPECT_TRUE(Consume(last).ok());
}

}  // namespace
}  // namespace cairn::server
