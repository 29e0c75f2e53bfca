// What a scrape of /metrics costs with as many partitions as the argument says: over HTTP, from the
// request to the last byte.
#include <benchmark/benchmark.h>

#include <chrono>
#include <future>
#include <sstream>
#include <string>
#include <thread>

#include "base/check.h"
#include "env/raw_client.h"
#include "env/temporary_directory.h"
#include "server/server.h"

namespace cairn::server {
namespace {

void BM_Scrape(benchmark::State& state) {
  const env::TemporaryDirectory directory;
  std::ostringstream log;
  const auto logger = Logger::ToStream(log, LogLevel::kError, LogFormat::kJson);
  ServerConfig config;
  config.data_dir = directory.path() + "/data";
  config.rpc_port = 0;
  config.bind_addr = "127.0.0.1:0";
  auto server = Server::Start(config, *logger);
  CAIRN_CHECK(server.ok(), "the server starts");
  std::promise<absl::Status> created;
  (*server)->node().CreateTopic(
      "t", static_cast<int32_t>(state.range(0)), 1, {},
      [&](const absl::StatusOr<broker::TopicInfo>& topic) { created.set_value(topic.status()); });
  CAIRN_CHECK(created.get_future().get().ok(), "the topic is made");
  while (!(*server)->node().Readiness().ok()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  size_t bytes = 0;
  for (auto _ : state) {
    env::RawClient client((*server)->address());
    client.Send("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    bytes = client.ReceiveAll().size();
  }
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(BM_Scrape)->Arg(1)->Arg(1000)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace cairn::server

BENCHMARK_MAIN();
