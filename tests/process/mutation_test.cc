// Openings of every protocol on the port with bits flipped, lengths replaced and ends cut off: the
// server refuses them, keeps its memory, and serves a good client in between.
//
// CAIRN_MUTATIONS says how many of each protocol (default 10,000; scripts/mutation-soak: 100,000).

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "apps/process_usage.h"
#include "cairn/client.h"
#include "cairn/producer.h"
#include "consensus/stranger_testing.h"
#include "process/server_process.h"
#include "process/test_certificates.h"
#include "rpc/client_hello_testing.h"

namespace cairn::testing {
namespace {

using namespace std::string_literals;

constexpr uint64_t kMaxGrowthBytes = 100 << 20;
constexpr int kAnswerMs = 2;  // an answer is not waited for long: most get none

int Mutations() {
  const char* wanted = std::getenv("CAIRN_MUTATIONS");
  return wanted == nullptr ? 10'000 : std::atoi(wanted);
}

// One frame of HTTP/2 (RFC 9113, section 4.1) on stream 1, or 0 for settings.
std::string Http2Frame(char type, char flags, const std::string& payload) {
  std::string frame(9, '\0');
  frame[1] = static_cast<char>(payload.size() >> 8);
  frame[2] = static_cast<char>(payload.size());
  frame[3] = type;
  frame[4] = flags;
  frame[8] = type == 4 ? 0 : 1;
  return frame + payload;
}

std::string GrpcOpening() {
  const auto header = [](const std::string& name, const std::string& value) {
    // A literal that is not indexed, with a new name (RFC 7541, section 6.2.2).
    return std::string(1, '\0') + static_cast<char>(name.size()) + name +
           static_cast<char>(value.size()) + value;
  };
  const std::string headers = header(":method", "POST") + header(":scheme", "http") +
                              header(":path", "/log.v1.Log/Produce") + header(":authority", "x") +
                              header("te", "trailers") + header("content-type", "application/grpc");
  // A ProduceRequest with a record "x" behind the length of gRPC's messages.
  const std::string message = "\0\0\0\0\5\x0a\x03\x0a\x01x"s;
  return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + Http2Frame(4, 0, "") + Http2Frame(1, 4, headers) +
         Http2Frame(0, 1, message);
}

std::string HttpOpening() {
  return "GET /readyz?verbose HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nAccept: */*\r\n\r\nbody"
         "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
}

std::string PeerOpening() {
  const std::string hello = consensus::StrangersHello();
  return std::string(1, consensus::kPeerFirstByte) + hello + hello;
}

std::string TlsOpening() {
  return rpc::OpensslHello({.protocols = {"h2", "http/1.1"}, .host = "localhost"});
}

std::string OpeningOf(const std::string& protocol) {
  if (protocol == "grpc") return GrpcOpening();
  if (protocol == "http") return HttpOpening();
  if (protocol == "tls") return TlsOpening();
  return PeerOpening();
}

class MutationTest : public ::testing::TestWithParam<std::string> {
 protected:
  std::string Mutate(std::string bytes) {
    const auto at = [&] { return random_() % bytes.size(); };
    for (uint32_t i = 0, count = 1 + random_() % 4; i < count; ++i) {
      switch (random_() % 4) {
        case 0:
          bytes[at()] ^= static_cast<char>(1 << (random_() % 8));
          break;
        case 1: {  // a length
          static const std::string kLengths[] = {"\0\0\0\0"s, "\x80\0\0\0"s, "\0\0\0\x80"s,
                                                 "\xff\xff\xff\xff"s};
          const size_t from = std::min(at(), bytes.size() - std::min<size_t>(bytes.size(), 4));
          bytes.replace(from, 4, kLengths[random_() % 4]);
          break;
        }
        case 2:
          bytes.insert(at(), 1 + random_() % 8, static_cast<char>(random_()));
          break;
        default:
          bytes.resize(1 + at());
      }
    }
    return bytes;
  }

  // From one of many addresses: a port that was closed stays taken for a minute.
  void SendOnce(uint16_t port, const std::string& bytes) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_GE(fd, 0);
    const int on = 1;
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + random_() % 200);
    ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&own), sizeof(own)), 0);
    sockaddr_in server{};
    server.sin_family = AF_INET;
    server.sin_port = htons(port);
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&server), sizeof(server)), 0);
    send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    pollfd answered{.fd = fd, .events = POLLIN, .revents = 0};
    poll(&answered, 1, kAnswerMs);
    close(fd);
  }

 private:
  std::mt19937 random_{7};
};

TEST_P(MutationTest, HarmNobody) {
  const std::string opening = OpeningOf(GetParam());
  const ScratchDir scratch;
  const TestCertificates certificates;
  ServerProcess server(scratch / "data");
  std::vector<std::string> flags = {"--log-level", "error"};
  TlsFiles tls;
  if (GetParam() == "tls") {
    certificates.Issue("node", true);
    certificates.Issue("alice", false);
    const auto files = certificates.Flags("--server-tls", "node");
    flags.insert(flags.end(), files.begin(), files.end());
    tls = {.ca_file = certificates.File("ca.pem"),
           .cert_file = certificates.File("alice.pem"),
           .key_file = certificates.File("alice-key.pem")};
  }
  server.Start({}, flags);
  const std::string& address = server.address();
  const auto port = static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
  const auto connected = Client::Create({.address = address, .tls = tls});
  ASSERT_TRUE(connected.ok()) << connected.status();
  auto producer = Producer::Create(*connected, {.topic = "default", .linger_ms = 0});
  ASSERT_TRUE(producer.ok()) << producer.status();

  uint64_t before_bytes = 0;
  for (int i = 0; i < Mutations(); ++i) {
    ASSERT_NO_FATAL_FAILURE(SendOnce(port, Mutate(opening)));
    if (i % 500 != 0) continue;
    ASSERT_TRUE((*producer)->Produce({.value = "good"}).ok());
    ASSERT_TRUE((*producer)->Flush(60'000).ok());
    if (i == 500) before_bytes = apps::UsageOf(server.pid())->resident_bytes;
  }
  EXPECT_FALSE(server.Ended());
  const uint64_t after_bytes = apps::UsageOf(server.pid())->resident_bytes;
  EXPECT_LT(after_bytes, before_bytes + kMaxGrowthBytes);
  std::cout << Mutations() << " of " << GetParam() << ": memory " << (before_bytes >> 20) << " and "
            << (after_bytes >> 20) << " MiB\n";
}

INSTANTIATE_TEST_SUITE_P(Protocols, MutationTest, ::testing::Values("grpc", "http", "peer", "tls"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace cairn::testing
