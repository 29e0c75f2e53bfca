#include "rpc/port_multiplexer_fixture.h"

namespace cairn::rpc {
namespace {

TEST_F(PortMultiplexerTest, HandsEachProtocolTheBytesAlreadyRead) {
  Start();
  RawClient grpc(address_);
  grpc.Send("PRI * HTTP/2.0\r\n");
  EXPECT_EQ(grpc.ReceiveAll(), "grpc:PRI * HTTP/2.0\r\n");
  RawClient http(address_);
  http.Send("GET / HTTP/1.1\r\n");
  EXPECT_EQ(http.ReceiveAll(), "http:GET / HTTP/1.1\r\n");
  const MultiplexerCounters counters = multiplexer_->counters();
  EXPECT_EQ(counters.accepted, 2u);
  EXPECT_EQ(counters.grpc, 1u);
  EXPECT_EQ(counters.http, 1u);
  EXPECT_EQ(counters.pending, 0u);
}

TEST_F(PortMultiplexerTest, WaitsForAPeerThatSendsByteByByte) {
  Start();
  RawClient client(address_);
  client.Send("P");
  Await([&] { return multiplexer_->counters().pending == 1; });
  client.Send("R");
  client.Send("I");
  client.Send(" ");
  EXPECT_EQ(client.ReceiveAll(), "grpc:PRI ");
}

TEST_F(PortMultiplexerTest, ClosesGarbageTlsAndPeersNobodyServes) {
  Start();
  for (const std::string bytes : {"\x16\x03\x01\x02", "SSH-2.0-x\r\n", "\x01 raft", "\xff"}) {
    RawClient client(address_);
    client.Send(bytes);
    EXPECT_EQ(client.ReceiveAll(), "");
  }
  EXPECT_EQ(multiplexer_->counters().unknown_protocol, 3u);
  EXPECT_EQ(multiplexer_->counters().peer, 1u);
  EXPECT_EQ(observer_.rejected("protocol not served"), 4);
}

TEST_F(PortMultiplexerTest, ClosesASilentAndADrippingPeerAtTheDeadline) {
  Start({.first_bytes_timeout_ns = 50'000'000});
  RawClient silent(address_);
  RawClient dripping(address_);
  dripping.Send("GE");
  EXPECT_EQ(silent.ReceiveAll(), "");
  EXPECT_EQ(dripping.ReceiveAll(), "");
  EXPECT_EQ(multiplexer_->counters().timed_out, 2u);
  EXPECT_EQ(multiplexer_->counters().pending, 0u);
}

TEST_F(PortMultiplexerTest, CountsPeersThatLeaveBeforeTheyShowWhatTheyAre) {
  Start();
  {
    RawClient polite(address_);
    RawClient rude(address_);
    Await([&] { return multiplexer_->counters().pending == 2; });
    rude.Abort();
  }
  Await([&] { return multiplexer_->counters().disconnected == 2; });
  EXPECT_EQ(multiplexer_->counters().pending, 0u);
}

TEST_F(PortMultiplexerTest, RestsAtTheLimitOfPendingConnectionsAndGoesOnAfterwards) {
  Start({.max_pending_connections = 2, .accept_backoff_ns = 1'000'000});
  auto first = std::make_unique<RawClient>(address_);
  auto second = std::make_unique<RawClient>(address_);
  Await([&] { return multiplexer_->counters().pending == 2; });
  RawClient third(address_);  // waits in the kernel's queue
  third.Send("GET ");
  EXPECT_EQ(multiplexer_->counters().accepted, 2u);
  first.reset();
  EXPECT_EQ(third.ReceiveAll(), "http:GET ");
}

TEST_F(PortMultiplexerTest, ServesManyConnectionsBesideManySilentOnes) {
  Start();
  std::vector<std::unique_ptr<RawClient>> silent;
  for (int i = 0; i < 200; ++i) silent.push_back(std::make_unique<RawClient>(address_));
  std::vector<std::unique_ptr<RawClient>> talking;
  for (int i = 0; i < 100; ++i) talking.push_back(std::make_unique<RawClient>(address_));
  for (auto& client : talking) client->Send("HEAD");
  for (auto& client : talking) EXPECT_EQ(client->ReceiveAll(), "http:HEAD");
  EXPECT_EQ(multiplexer_->counters().pending, 200u);
}

TEST_F(PortMultiplexerTest, StopClosesPendingConnections) {
  Start();
  RawClient client(address_);
  Await([&] { return multiplexer_->counters().pending == 1; });
  multiplexer_->Stop();
  EXPECT_EQ(client.ReceiveAll(), "");
}

// Accepts nothing until it is told to, and fails as often as it is told to.
class FailingListener final : public env::Listener {
 public:
  FailingListener(env::Executor& executor, int failures, std::atomic<int>& accepts)
      : executor_(executor), failures_(failures), accepts_(accepts) {}
  void Accept(AcceptCallback done) override {
    ++accepts_;
    if (failures_-- > 0) {
      executor_.Post([done = std::move(done)]() mutable {
        done(absl::ResourceExhaustedError("accept: too many open files"));
      });
    } else {
      kept_ = std::move(done);
    }
  }
  void Close() override {}
  const std::string& local_address() const override { return address_; }

 private:
  env::Executor& executor_;
  int failures_;
  std::atomic<int>& accepts_;
  AcceptCallback kept_;
  std::string address_ = "sim:1";
};

// The loop's executor, with the delays of its timers noted and each run at once.
class ImpatientExecutor final : public env::Executor {
 public:
  explicit ImpatientExecutor(env::Executor& real) : real_(real) {}
  void Post(Task task) override { real_.Post(std::move(task)); }
  TimerId PostAfter(int64_t delay_ns, Task task) override {
    waited_ns += delay_ns;
    real_.Post(std::move(task));
    return 1;
  }
  void Cancel(TimerId) override {}
  std::atomic<int64_t> waited_ns{0};

 private:
  env::Executor& real_;
};

TEST_F(PortMultiplexerTest, RestsBetweenFailedAcceptsInsteadOfSpinning) {
  ImpatientExecutor executor(loop_);
  std::atomic<int> accepts{0};
  multiplexer_ = std::make_unique<PortMultiplexer>(
      executor, std::make_unique<FailingListener>(executor, 10, accepts),
      PortMultiplexer::Handlers{}, observer_, MultiplexerOptions{.accept_backoff_ns = 100});
  multiplexer_->Start();
  Await([&] { return accepts == 11; });
  EXPECT_EQ(executor.waited_ns, 10 * 100);
  EXPECT_EQ(multiplexer_->counters().accept_failures, 10u);
  multiplexer_->Stop();  // it uses the executor of this test
}

}  // namespace
}  // namespace cairn::rpc
