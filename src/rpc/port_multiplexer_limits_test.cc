#include <unistd.h>

#include <memory>
#include <vector>

#include "rpc/port_multiplexer_fixture.h"

namespace cairn::rpc {
namespace {

class PortMultiplexerLimitsTest : public PortMultiplexerTest {
 protected:
  void TearDown() override {
    PortMultiplexerTest::TearDown();
    for (const int descriptor : descriptors_) ::close(descriptor);
  }

  void StartLimited(MultiplexerOptions options) {
    Start(options, {.grpc = GiveAway(), .http = Greet("http"), .peer = Greet("peer")});
  }

  // Takes the descriptor, as gRPC does.
  PortMultiplexer::Handler GiveAway() {
    return [this](std::unique_ptr<env::Connection> connection, const std::string&) {
      const int descriptor = connection->ReleaseDescriptor().value();
      descriptors_.push_back(descriptor);
      EXPECT_EQ(::write(descriptor, "grpc", 4), 4);
    };
  }
  // gRPC closes on threads of its own. That is right, since the census expects it, but a race in
  // the eyes of ThreadSanitizer.
  void CloseOldestDescriptor() {
    RunOnLoop([this] {
      ::close(descriptors_.front());
      descriptors_.pop_front();
    });
  }
  void CloseOldestHandedOver() {
    RunOnLoop([this] { handed_over_.pop_front(); });
  }

  // A client that has said `opening`, and what it was answered: "" when it was refused.
  std::string Open(const std::string& opening) {
    RawClient& client = *clients_.emplace_back(std::make_unique<RawClient>(address_));
    client.Send(opening);
    return client.Receive();
  }

  std::vector<std::unique_ptr<RawClient>> clients_;
  std::list<int> descriptors_;  // loop's thread
};

TEST_F(PortMultiplexerLimitsTest, ClosesAConnectionBeyondAllAtOnceUntilOneEnds) {
  StartLimited({.limits = {.total = 3}});
  EXPECT_EQ(Open("GET "), "http");
  EXPECT_EQ(Open("PRI "), "grpc");
  EXPECT_EQ(Open("\x01"), "peer");
  EXPECT_EQ(multiplexer_->counters().connections, 3u);
  RawClient silent(address_);
  EXPECT_EQ(silent.ReceiveAll(), "");
  EXPECT_EQ(multiplexer_->counters().refused_at_limit, 1u);
  EXPECT_EQ(observer_.rejected("too many connections"), 1);

  CloseOldestHandedOver();
  EXPECT_EQ(Open("GET "), "http");
  EXPECT_EQ(Open("GET "), "");
  CloseOldestDescriptor();
  EXPECT_EQ(Open("PRI "), "grpc");
  EXPECT_EQ(Open("PRI "), "");
  EXPECT_EQ(multiplexer_->counters().refused_at_limit, 3u);
  EXPECT_EQ(multiplexer_->counters().connections, 3u);
}

TEST_F(PortMultiplexerLimitsTest, LimitsChangeForWhoComesLater) {
  StartLimited({.limits = {.total = 2}});
  EXPECT_EQ(Open("GET "), "http");
  EXPECT_EQ(Open("GET "), "http");
  multiplexer_->SetLimits({.total = 3});
  EXPECT_EQ(Open("GET "), "http");
  multiplexer_->SetLimits({.total = 1});
  EXPECT_EQ(Open("GET "), "");
  EXPECT_EQ(multiplexer_->counters().connections, 3u);
}

TEST_F(PortMultiplexerLimitsTest, ASilentConnectionCountsInAllAndNoLongerThanItLasts) {
  StartLimited({.limits = {.total = 1}});
  {
    RawClient silent(address_);
    Await([&] { return multiplexer_->counters().pending == 1; });
    EXPECT_EQ(Open("GET "), "");
  }
  Await([&] { return multiplexer_->counters().disconnected == 1; });
  EXPECT_EQ(Open("GET "), "http");
}

TEST_F(PortMultiplexerLimitsTest, ClosesAClientBeyondThoseOfItsAddressUntilOneEnds) {
  StartLimited({.limits = {.per_address = 2}});
  EXPECT_EQ(Open("GET "), "http");
  EXPECT_EQ(Open("PRI "), "grpc");
  EXPECT_EQ(Open("PRI "), "");
  EXPECT_EQ(Open("GET "), "");
  EXPECT_EQ(multiplexer_->counters().refused_at_limit, 2u);
  EXPECT_EQ(multiplexer_->counters().grpc, 1u);
  EXPECT_EQ(observer_.rejected("too many connections from this address"), 2);

  CloseOldestDescriptor();
  EXPECT_EQ(Open("GET "), "http");
  EXPECT_EQ(Open("GET "), "");
  CloseOldestHandedOver();
  EXPECT_EQ(Open("PRI "), "grpc");
}

TEST_F(PortMultiplexerLimitsTest, ClientsOfAnAddressDoNotKeepPeersOut) {
  StartLimited({.limits = {.per_address = 1}});
  EXPECT_EQ(Open("GET "), "http");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Open("\x01"), "peer");
  EXPECT_EQ(Open("GET "), "");
}

TEST_F(PortMultiplexerLimitsTest, AnAddressMayHaveSoManySilentConnections) {
  StartLimited({.limits = {.per_address = 2}});
  auto first = std::make_unique<RawClient>(address_);
  RawClient second(address_);
  Await([&] { return multiplexer_->counters().pending == 2; });
  RawClient third(address_);
  EXPECT_EQ(third.ReceiveAll(), "");
  EXPECT_EQ(multiplexer_->counters().refused_at_limit, 1u);
  first.reset();
  Await([&] { return multiplexer_->counters().pending == 1; });
  EXPECT_EQ(Open("GET "), "http");
}

TEST_F(PortMultiplexerLimitsTest, ManyConnectionsOneAfterTheOtherStayBelowTheLimit) {
  Start({.limits = {.total = 1, .per_address = 1}});
  for (int i = 0; i < 100; ++i) {
    RawClient client(address_);
    client.Send("GET ");
    ASSERT_EQ(client.ReceiveAll(), "http:GET ");
  }
  EXPECT_EQ(multiplexer_->counters().refused_at_limit, 0u);
}

}  // namespace
}  // namespace cairn::rpc
