#include <utility>
#include <vector>

#include "rpc/client_hello_testing.h"
#include "rpc/limits.h"
#include "rpc/port_multiplexer_fixture.h"

namespace cairn::rpc {
namespace {

class PortMultiplexerTlsTest : public PortMultiplexerTest {
 protected:
  void StartTls() {
    Start({.tls = true}, {.grpc = Answer("grpc"), .http = Answer("http"), .peer = Answer("peer")});
  }

  // What a client that says `bytes` gets.
  std::string Ask(const std::string& bytes) {
    RawClient client(address_);
    client.Send(bytes);
    return client.ReceiveAll();
  }
};

// The loop's executor, with timers that run when the test says so.
class HeldTimers final : public env::Executor {
 public:
  explicit HeldTimers(env::Executor& real) : real_(real) {}
  void Post(Task task) override { real_.Post(std::move(task)); }
  TimerId PostAfter(int64_t, Task task) override {
    base::MutexLock lock(mutex_);
    timers_.push_back(std::move(task));
    return timers_.size();
  }
  void Cancel(TimerId) override {}

  // How many there were.
  size_t Fire() {
    base::MutexLock lock(mutex_);
    const size_t count = timers_.size();
    for (Task& timer : timers_) real_.Post(std::move(timer));
    timers_.clear();
    return count;
  }

 private:
  env::Executor& real_;
  base::Mutex mutex_;
  std::vector<Task> timers_ CAIRN_GUARDED_BY(mutex_);
};

TEST_F(PortMultiplexerTlsTest, ChoosesByWhatTheHelloOffers) {
  StartTls();
  for (const bool real : {false, true}) {
    const auto make = [real](const std::vector<std::string>& protocols) {
      return real ? OpensslHello({.protocols = protocols, .host = "node-1.example"})
                  : HandMadeHello(protocols);
    };
    const std::string grpc = make({"grpc-exp", "h2"});
    EXPECT_EQ(Ask(grpc), "grpc:" + grpc);
    const std::string http = make({"http/1.1"});
    EXPECT_EQ(Ask(http), "http:" + http);
    const std::string both = make({"h2", "http/1.1"});
    EXPECT_EQ(Ask(both), "http:" + both);
  }
  EXPECT_EQ(multiplexer_->counters().grpc, 2u);
  EXPECT_EQ(multiplexer_->counters().http, 4u);
}

TEST_F(PortMultiplexerTlsTest, ClosesAHelloThatOffersNothingOfOurs) {
  StartTls();
  EXPECT_EQ(Ask(HandMadeHello({})), "");
  EXPECT_EQ(Ask(HandMadeHello({"postgresql"})), "");
  EXPECT_EQ(Ask(InRecords(HelloParts{}.Message())), "");
  EXPECT_EQ(multiplexer_->counters().unknown_protocol, 3u);
  EXPECT_EQ(observer_.rejected("no protocol of ours in the TLS hello"), 3);
}

TEST_F(PortMultiplexerTlsTest, TakesAHelloByteByByteAndInTheSmallestRecords) {
  StartTls();
  const std::string hello = HandMadeHello({"h2"});
  RawClient dripping(address_);
  for (const char byte : hello) dripping.Send({&byte, 1});
  EXPECT_EQ(dripping.ReceiveAll(), "grpc:" + hello);
  const std::string records = InRecords(hello.substr(5), 1);
  EXPECT_EQ(Ask(records), "grpc:" + records);
}

TEST_F(PortMultiplexerTlsTest, TakesTheLargestHelloAndClosesALargerOne) {
  StartTls();
  HelloParts parts;
  parts.extensions = AlpnExtension({"h2"}) + TlsExtension(21, "");
  const size_t padding = kMaxClientHelloBytes - InRecords(parts.Message()).size();
  const auto padded = [&parts](size_t bytes) {
    parts.extensions = AlpnExtension({"h2"}) + TlsExtension(21, std::string(bytes, '\0'));
    return InRecords(parts.Message());
  };
  const std::string largest = padded(padding);
  EXPECT_EQ(Ask(largest), "grpc:" + largest);
  EXPECT_EQ(Ask(padded(padding + 1)), "");
  EXPECT_EQ(multiplexer_->counters().malformed_hello, 1u);
  EXPECT_EQ(observer_.rejected("malformed TLS hello: too large"), 1);
}

TEST_F(PortMultiplexerTlsTest, ClosesWhatIsNoHello) {
  StartTls();
  EXPECT_EQ(Ask("\x16GET / HTTP/1.1\r\n"), "");
  EXPECT_EQ(multiplexer_->counters().malformed_hello, 1u);
  EXPECT_EQ(observer_.rejected("malformed TLS hello: a record of no version of TLS"), 1);
  EXPECT_EQ(Ask("SSH-2.0-x\r\n"), "");
  EXPECT_EQ(observer_.rejected("protocol not served"), 1);
}

TEST_F(PortMultiplexerTlsTest, RefusesClientsInClearTextAndTakesPeers) {
  StartTls();
  for (const char* opening : {"PRI * HTTP/2.0\r\n", "GET / HTTP/1.1\r\n", "POST", "HEAD"}) {
    EXPECT_EQ(Ask(opening), "") << opening;
  }
  EXPECT_EQ(Ask("\x01 raft"), "peer:\x01 raft");
  const MultiplexerCounters counters = multiplexer_->counters();
  EXPECT_EQ(counters.plaintext_refused, 4u);
  EXPECT_EQ(counters.grpc + counters.http, 0u);
  EXPECT_EQ(counters.peer, 1u);
  EXPECT_EQ(observer_.rejected("TLS is required"), 4);
}

TEST_F(PortMultiplexerTlsTest, ClosesASlowHelloAtTheOneDeadline) {
  HeldTimers timers(loop_);
  Start(timers, {.tls = true},
        {.grpc = Answer("grpc"), .http = Answer("http"), .peer = Answer("peer")});
  const std::string hello = OpensslHello({.protocols = {"h2"}});
  RawClient half(address_);
  half.Send(hello.substr(0, hello.size() / 2));
  RawClient dripping(address_);
  for (const char byte : hello.substr(0, hello.size() - 1)) dripping.Send({&byte, 1});
  // A third one, handed over after them, so that their bytes are likely to have been read.
  const std::string whole = HandMadeHello({"h2"});
  EXPECT_EQ(Ask(whole), "grpc:" + whole);
  EXPECT_EQ(multiplexer_->counters().pending, 2u);
  EXPECT_EQ(timers.Fire(), 3u);
  EXPECT_EQ(half.ReceiveAll(), "");
  EXPECT_EQ(dripping.ReceiveAll(), "");
  EXPECT_EQ(multiplexer_->counters().timed_out, 2u);
  EXPECT_EQ(multiplexer_->counters().pending, 0u);
  multiplexer_->Stop();  // it uses the timers of this test
}

TEST_F(PortMultiplexerTlsTest, CountsAClientThatLeavesInTheMiddleOfItsHello) {
  StartTls();
  {
    RawClient client(address_);
    client.Send(HandMadeHello({"h2"}).substr(0, 55));
    Await([&] { return multiplexer_->counters().pending == 1; });
  }
  Await([&] { return multiplexer_->counters().disconnected == 1; });
  EXPECT_EQ(multiplexer_->counters().pending, 0u);
}

}  // namespace
}  // namespace cairn::rpc
