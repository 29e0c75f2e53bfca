// cluster_bench failover N | stop N | catchup MIB | serve [--slow]
//
// Three nodes on this machine, for scripts/bench-cluster:
//
//   failover N  kills the leader N times with SIGKILL; prints, each time, how many milliseconds
//               later the next append was acknowledged
//   stop N      as failover, with SIGTERM; prints the longest time without an acknowledgement
//   catchup MIB wipes a follower, appends so much through the others, starts it again; prints how
//               many MB/s it then gets, while appends go on
//   serve       prints the leader's address and the process ids in one line, and serves until stdin
//               ends; with --slow each fdatasync of n3 takes 3 ms longer
//
// CAIRN_TEST_BINARY names the binary to measure.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "process/await.h"
#include "process/cluster_process.h"
#include "process/node_client.h"

namespace cairn::testing {
namespace {

using Clock = std::chrono::steady_clock;

double MsBetween(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

// Appends one record after the other through each node, and knows when the last was acknowledged.
class Appender {
 public:
  explicit Appender(const std::vector<std::string>& addresses) {
    for (const std::string& address : addresses) {
      threads_.emplace_back([this, address] { Run(address); });
    }
  }
  ~Appender() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

  // Of an append that was sent after `since`.
  bool HasAcknowledgedSince(Clock::time_point since, Clock::time_point& when) {
    const std::lock_guard lock(mutex_);
    for (const auto& [sent, answered] : answers_) {
      if (sent < since) continue;
      when = answered;
      return true;
    }
    return false;
  }
  double LongestGapMs() {
    const std::lock_guard lock(mutex_);
    double longest = 0;
    for (size_t i = 1; i < answers_.size(); ++i) {
      longest = std::max(longest, MsBetween(answers_[i - 1].second, answers_[i].second));
    }
    return longest;
  }
  void Forget() {
    const std::lock_guard lock(mutex_);
    answers_.clear();
  }

 private:
  void Run(const std::string& address) {
    NodeClient client(address);
    logapi::v1::ProduceRequest request;
    request.mutable_record()->set_value(std::string(100, 'x'));
    while (!stop_) {
      const Clock::time_point sent = Clock::now();
      if (client.Produce(request).ok()) {
        const std::lock_guard lock(mutex_);
        answers_.emplace_back(sent, Clock::now());
      } else {
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      }
    }
  }

  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::vector<std::pair<Clock::time_point, Clock::time_point>> answers_;  // by the second
  std::vector<std::thread> threads_;
};

// Ends the leader while records are appended through the others; how long nothing was acknowledged.
std::optional<double> MeasureEnd(ClusterProcess& cluster, size_t leader,
                                 const std::vector<std::string>& others, bool gracefully) {
  Appender appender(others);
  Clock::time_point when;
  if (!Await([&] { return appender.HasAcknowledgedSince({}, when); })) return std::nullopt;
  appender.Forget();
  const Clock::time_point begin = Clock::now();
  if (gracefully) {
    cluster.Terminate(leader);
  } else {
    cluster.Kill(leader);
  }
  // Behind the end of the process: an append under way may still be answered.
  const Clock::time_point end = Clock::now();
  if (!Await([&] { return appender.HasAcknowledgedSince(end, when); })) return std::nullopt;
  return gracefully ? appender.LongestGapMs() : MsBetween(begin, when);
}

void MeasureFailover(ClusterProcess& cluster, int rounds, bool gracefully) {
  for (int round = 0; round < rounds; ++round) {
    const size_t leader = cluster.AwaitLeader();
    std::vector<std::string> others = cluster.addresses();
    others.erase(others.begin() + static_cast<ptrdiff_t>(leader));
    const auto taken = MeasureEnd(cluster, leader, others, gracefully);
    if (!taken) return;
    std::cout << *taken << std::endl;
    cluster.Restart(leader);
    (void)cluster.ReadReplicas();  // it has caught up
  }
}

uint64_t StoreBytes(const std::string& directory) {
  uint64_t bytes = 0;
  std::error_code ignored;  // it may not be there yet, or segments go
  for (const auto& file : std::filesystem::directory_iterator(directory, ignored)) {
    if (file.path().extension() == ".store") bytes += file.file_size(ignored);
  }
  return bytes;
}

void MeasureCatchUp(ClusterProcess& cluster, int mebibytes) {
  const size_t leader = cluster.AwaitLeader();
  const size_t follower = cluster.OtherThan(leader);
  cluster.Kill(follower);
  cluster.Wipe(follower);
  logapi::v1::ProduceRequest request;
  for (int i = 0; i < 1024; ++i) request.add_records()->set_value(std::string(1000, 'x'));
  NodeClient client(cluster.node(leader).address());
  for (int i = 0; i < mebibytes; ++i) {
    const auto done = client.Produce(request);
    EXPECT_TRUE(done.ok()) << done.status();
    if (!done.ok()) return;
  }
  const std::string leads = cluster.node(leader).data_dir() + "/" + ClusterProcess::kDefaultLog;
  const std::string follows = cluster.node(follower).data_dir() + "/" + ClusterProcess::kDefaultLog;
  const uint64_t all = StoreBytes(leads);
  Appender appender({cluster.node(leader).address()});
  cluster.Restart(follower);
  const auto has = [&](uint64_t bytes) {
    return Await([&] { return StoreBytes(follows) >= bytes; });
  };
  EXPECT_TRUE(has(1 << 20));
  const Clock::time_point begin = Clock::now();
  const uint64_t before = StoreBytes(follows);
  EXPECT_TRUE(has(all)) << StoreBytes(follows) << " of " << all;
  std::cout << static_cast<double>(all - before) / 1e3 / MsBetween(begin, Clock::now())
            << std::endl;
}

void Serve(ClusterProcess& cluster) {
  std::cout << cluster.node(cluster.AwaitLeader()).address();
  for (size_t node = 0; node < cluster.size(); ++node) std::cout << " " << cluster.node(node).pid();
  std::cout << std::endl;
  std::string line;
  while (std::getline(std::cin, line)) {
  }
}

int Main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  const int rounds = mode != "serve" && argc > 2 ? std::stoi(argv[2]) : 10;
  if (mode != "failover" && mode != "stop" && mode != "catchup" && mode != "serve") {
    std::cerr << "usage: cluster_bench failover N | stop N | catchup MIB | serve [--slow]\n";
    return 2;
  }
  ClusterOptions options;
  if (mode == "serve" && argc > 2) {
    // -D: the node, not strace, is our child, and gets our signals.
    options.prefixes = {{},
                        {},
                        {"strace", "-D", "-f", "-o", "/dev/null", "-e", "trace=fdatasync", "-e",
                         "inject=fdatasync:delay_enter=3000"}};
  }
  ClusterProcess cluster(options);
  cluster.Start();
  if (mode == "serve") {
    Serve(cluster);
  } else if (mode == "catchup") {
    MeasureCatchUp(cluster, rounds);
  } else {
    MeasureFailover(cluster, rounds, mode == "stop");
  }
  return ::testing::Test::HasFailure() ? 1 : 0;
}

}  // namespace
}  // namespace cairn::testing

int main(int argc, char** argv) {
  int none = 1;
  ::testing::InitGoogleTest(&none, argv);
  return cairn::testing::Main(argc, argv);
}
