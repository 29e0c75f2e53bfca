// What a client may send to the HTTP server, cut into reads at random places: answers come back,
// and the connection ends within the server's time limits, whatever it says.
#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "env/sim_clock.h"
#include "env/sim_executor.h"
#include "env/sim_network.h"
#include "env/sim_random.h"
#include "http/health_routes.h"
#include "http/http_server.h"
#include "http/query.h"

namespace cairn::http {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr std::string_view kAnswerStart = "HTTP/1.1 ";

// Keeps what the server answers.
struct Client {
  void Read() {
    connection->Read(buffer, [this](absl::StatusOr<size_t> size) {
      ended = !size.ok() || *size == 0;
      if (ended) return;
      answers.append(buffer.data(), *size);
      Read();
    });
  }

  std::unique_ptr<env::Connection> connection;
  std::array<char, 4096> buffer;
  std::string answers;
  bool ended = false;
};

RouteTable Routes() {
  RouteTable routes;
  AddHealthRoutes(routes, [] {
    return std::vector<HealthCheck>{
        {.name = "serving", .status = absl::UnavailableError("not yet")}};
  });
  routes.Add("POST", "/echo", [](const Request& request) {
    constexpr std::array<std::string_view, 2> kKnown = {"a", "b"};
    const auto query = Query::Parse(request.query, kKnown);
    return Response{.body = query.ok() ? "" : std::string(query.status().message())};
  });
  return routes;
}

// `already_read`: how much of `bytes` the port multiplexer has read.
void Run(uint64_t seed, std::string_view bytes, size_t already_read) {
  env::SimClock clock;
  env::SimExecutor executor(clock);
  env::SimRandom random(seed);
  env::SimNetwork fabric(clock, executor, random, {.max_segment_bytes = seed % 2 ? 7u : 5000u});
  const auto client_host = fabric.AddHost("client", executor);
  const auto server_host = fabric.AddHost("server", executor);
  HttpServer server(executor, Routes());
  auto listener = server_host->Listen("server:1").value();
  Client client;
  listener->Accept([&](absl::StatusOr<std::unique_ptr<env::Connection>> accepted) {
    server.Serve(*std::move(accepted), std::string(bytes.substr(0, already_read)));
  });
  client_host->Connect("server:1", [&](absl::StatusOr<std::unique_ptr<env::Connection>> made) {
    client.connection = *std::move(made);
    client.Read();
    if (already_read < bytes.size()) {
      client.connection->Write(std::string(bytes.substr(already_read)), [](const absl::Status&) {});
    }
  });
  // A request and its answer have ten seconds each, and the last bytes may come at the end of one.
  executor.RunFor(60 * kSecondNs);
  CAIRN_CHECK(client.ended, "no client holds a connection for ever");
  // Bytes that nobody read reset the connection when it is closed, and cut what was answered.
  const std::string_view start = std::string_view(client.answers).substr(0, kAnswerStart.size());
  CAIRN_CHECK(kAnswerStart.starts_with(start), "what comes is an answer");
  client.connection.reset();
  listener.reset();
  executor.RunFor(kSecondNs);
  CAIRN_CHECK(fabric.open_streams() == 0, "the server closed the connection");
}

}  // namespace
}  // namespace cairn::http

// The first byte: where the reads are cut, and how much comes with the first.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  cairn::http::Run(data[0], bytes, std::min<size_t>(data[0] / 2, bytes.size()));
  return 0;
}
