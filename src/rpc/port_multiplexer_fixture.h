// For tests of the port multiplexer: one that listens on a real port, with handlers that tell what
// they were given.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "env/event_loop.h"
#include "env/raw_client.h"
#include "rpc/port_multiplexer.h"

namespace cairn::rpc {

using env::RawClient;

class CollectingObserver final : public RpcObserver {
 public:
  bool WantsRpc(absl::StatusCode) const override { return false; }
  void OnRpc(const RpcOutcome&) override {}
  void OnConnectionRejected(std::string_view, std::string_view why) override {
    base::MutexLock lock(mutex_);
    ++rejected_[std::string(why)];
  }
  int rejected(const std::string& why) {
    base::MutexLock lock(mutex_);
    return rejected_[why];
  }

 private:
  base::Mutex mutex_;
  std::map<std::string, int> rejected_ CAIRN_GUARDED_BY(mutex_);
};

// Handlers that answer with their name and the bytes they were given, and close.
class PortMultiplexerTest : public testing::Test {
 protected:
  void Start(MultiplexerOptions options = {}) {
    Start(options, {.grpc = Answer("grpc"), .http = Answer("http"), .peer = {}});
  }
  void Start(MultiplexerOptions options, PortMultiplexer::Handlers handlers) {
    Start(loop_, options, std::move(handlers));
  }
  void Start(env::Executor& executor, MultiplexerOptions options,
             PortMultiplexer::Handlers handlers) {
    auto listener = loop_.Listen("127.0.0.1:0");
    ASSERT_TRUE(listener.ok()) << listener.status();
    address_ = (*listener)->local_address();
    multiplexer_ = std::make_unique<PortMultiplexer>(executor, *std::move(listener),
                                                     std::move(handlers), observer_, options);
    multiplexer_->Start();
  }

  void TearDown() override {
    multiplexer_->Stop();
    RunOnLoop([this] { handed_over_.clear(); });
  }

  template <typename Task>
  void RunOnLoop(Task task) {
    std::promise<void> done;
    loop_.Post([&] {
      task();
      done.set_value();
    });
    done.get_future().wait();
  }

  PortMultiplexer::Handler Answer(std::string name) {
    return [this, name](std::unique_ptr<env::Connection> connection, std::string first_bytes) {
      env::Connection& kept = *handed_over_.emplace_back(std::move(connection));
      kept.Write(name + ":" + first_bytes, [&kept](const absl::Status&) { kept.Close(); });
    };
  }

  // Keeps the connection open and says its name to the client.
  PortMultiplexer::Handler Greet(std::string name) {
    return [this, name](std::unique_ptr<env::Connection> connection, const std::string&) {
      env::Connection& kept = *handed_over_.emplace_back(std::move(connection));
      kept.Write(name, [](const absl::Status&) {});
    };
  }

  // Waits until `condition` holds; the test's own time limit catches a hang.
  template <typename Condition>
  void Await(Condition condition) {
    while (!condition()) std::this_thread::yield();
  }

  CollectingObserver observer_;
  env::EventLoop loop_{"mux-test"};
  std::list<std::unique_ptr<env::Connection>> handed_over_;  // loop's thread
  std::unique_ptr<PortMultiplexer> multiplexer_;
  std::string address_;
};

}  // namespace cairn::rpc
