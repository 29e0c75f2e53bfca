// Five thousand connections that say nothing, or a byte now and then: they cost a descriptor, a
// timer and a little memory, and a good client hardly notices.

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "apps/process_usage.h"
#include "cairn/producer.h"
#include "process/await.h"
#include "process/child_process.h"
#include "process/server_process.h"

namespace cairn::testing {
namespace {

constexpr size_t kConnections = 5000;
constexpr int kRecords = 500;
constexpr uint64_t kMaxGrowthBytes = 100 << 20;

// Connections to 127.0.0.1, each opened again when the server closes it. Even ones are silent, odd
// ones send what opens HTTP/2 byte by byte.
class Crowd {
 public:
  explicit Crowd(uint16_t port) : port_(port), thread_([this] { Run(); }) {}
  ~Crowd() {
    stop_ = true;
    thread_.join();
    for (const Visitor& visitor : visitors_) close(visitor.fd);
  }
  // How many are open, and how often the server has closed one.
  size_t open() const { return open_; }
  size_t closed() const { return closed_; }

 private:
  struct Visitor {
    int fd = -1;
    size_t sent = 0;
  };

  void Open(Visitor& visitor) const {
    visitor = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connect(visitor.fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  }

  // Whether the server has not closed it.
  static bool Lives(const Visitor& visitor) {
    char byte;
    const ssize_t got = recv(visitor.fd, &byte, 1, MSG_DONTWAIT);
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == ENOTCONN));
  }

  void Run() {
    static constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    while (!stop_) {
      for (size_t i = 0; i < kConnections && !stop_; ++i) {
        if (i == visitors_.size()) {
          Open(visitors_.emplace_back());
          ++open_;
        }
        Visitor& visitor = visitors_[i];
        if (!Lives(visitor)) {
          close(visitor.fd);
          Open(visitor);
          ++closed_;
        } else if (i % 2 == 1 && visitor.sent < kPreface.size()) {
          const ssize_t sent =
              send(visitor.fd, &kPreface[visitor.sent], 1, MSG_DONTWAIT | MSG_NOSIGNAL);
          if (sent == 1) ++visitor.sent;
        }
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
  }

  const uint16_t port_;
  std::vector<Visitor> visitors_;
  std::atomic<size_t> open_{0};
  std::atomic<size_t> closed_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;  // last: it uses all of the above
};

// The 99th percentile of what one acknowledged record after the other takes, in microseconds.
int64_t ProduceOneByOne(Producer& producer) {
  std::vector<int64_t> latencies;
  for (int i = 0; i < kRecords; ++i) {
    const auto began = std::chrono::steady_clock::now();
    EXPECT_TRUE(producer.Produce({.value = "record"}).ok());
    const absl::Status flushed = producer.Flush(60'000);
    EXPECT_TRUE(flushed.ok()) << flushed;
    latencies.push_back(std::chrono::duration_cast<std::chrono::microseconds>(
                            std::chrono::steady_clock::now() - began)
                            .count());
  }
  std::sort(latencies.begin(), latencies.end());
  return latencies[latencies.size() * 99 / 100];
}

TEST(CrowdTest, FiveThousandSlowConnectionsHarmNobody) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  ASSERT_GE(limit.rlim_max, kConnections + 1000) << "the limit of open files is too low";
  limit.rlim_cur = limit.rlim_max;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);

  const ScratchDir scratch;
  ServerProcess server(scratch / "data");
  server.Start({}, {"--max-connections-per-address", "0"});
  const auto client = server.NewClient();
  auto producer = Producer::Create(client, {.topic = "default", .linger_ms = 0});
  ASSERT_TRUE(producer.ok()) << producer.status();
  const int64_t alone_us = ProduceOneByOne(**producer);
  const uint64_t alone_bytes = apps::UsageOf(server.pid())->resident_bytes;

  const std::string& address = server.address();
  const Crowd crowd(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  ASSERT_TRUE(Await([&] { return crowd.open() == kConnections; }));
  const int64_t crowded_us = ProduceOneByOne(**producer);
  // The silent ones are turned out, and come again.
  ASSERT_TRUE(Await([&] { return crowd.closed() > kConnections / 2; }));
  EXPECT_FALSE(server.Ended());
  const uint64_t crowded_bytes = apps::UsageOf(server.pid())->resident_bytes;
  EXPECT_LT(crowded_bytes, alone_bytes + kMaxGrowthBytes);
  std::cout << "p99 of a record alone " << alone_us << " us, in the crowd " << crowded_us
            << " us; memory " << (alone_bytes >> 20) << " and " << (crowded_bytes >> 20)
            << " MiB\n";
}

}  // namespace
}  // namespace cairn::testing
