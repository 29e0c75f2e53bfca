#include "env/datagram.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "env/event_loop.h"
#include "env/sim_clock.h"
#include "env/sim_executor.h"
#include "env/sim_network.h"

namespace cairn::env {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;

TEST(EventLoopDatagramTest, CarriesDatagramsBothWays) {
  EventLoop loop("datagrams");
  auto a = loop.BindDatagram("127.0.0.1:0").value();
  auto b = loop.BindDatagram("127.0.0.1:0").value();
  std::array<char, 100> into;
  std::promise<absl::StatusOr<DatagramSocket::Received>> got;
  loop.Post([&] {
    b->Receive(into, [&](auto received) { got.set_value(std::move(received)); });
    a->Send(b->local_address(), "hello");
  });
  const auto received = got.get_future().get();
  ASSERT_TRUE(received.ok()) << received.status();
  EXPECT_EQ(std::string(into.data(), received->size_bytes), "hello");
  EXPECT_EQ(received->from, a->local_address());
  std::promise<absl::Status> closed;
  loop.Post([&] {
    b->Receive(into, [&](auto r) { closed.set_value(r.status()); });
    b.reset();
    a->Send("nowhere", "x");
    a->Send("127.0.0.1:1", std::string(DatagramSocket::kMaxBytes + 1, 'x'));
  });
  EXPECT_TRUE(absl::IsCancelled(closed.get_future().get()));
  std::promise<void> done;
  loop.Post([&] {
    a.reset();
    done.set_value();
  });
  done.get_future().get();
}

TEST(EventLoopDatagramTest, AnAddressInUseIsReported) {
  EventLoop loop("datagrams");
  auto a = loop.BindDatagram("127.0.0.1:0").value();
  EXPECT_TRUE(absl::IsAlreadyExists(loop.BindDatagram(a->local_address()).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(loop.BindDatagram("localhost:0").status()));
  std::promise<void> done;
  loop.Post([&] {
    a.reset();
    done.set_value();
  });
  done.get_future().get();
}

class SimDatagramTest : public testing::Test {
 protected:
  SimDatagramTest() : random_(1), fabric_(clock_, executor_, random_) {
    a_network_ = fabric_.AddHost("a", executor_);
    b_network_ = fabric_.AddHost("b", executor_);
    a_ = a_network_->BindDatagram("a:1").value();
    b_ = b_network_->BindDatagram("b:2").value();
    Next();
  }
  void Next() {
    b_->Receive(buffer_, [this](absl::StatusOr<DatagramSocket::Received> received) {
      if (!received.ok()) return;
      EXPECT_EQ(received->from, "a:1");
      got_.emplace_back(buffer_.data(), received->size_bytes);
      Next();
    });
  }
  int Arrived(int sent) {
    got_.clear();
    for (int i = 0; i < sent; ++i) a_->Send("b:2", std::to_string(i));
    executor_.RunFor(kSecondNs);
    return static_cast<int>(got_.size());
  }

  SimClock clock_;
  SimExecutor executor_{clock_};
  SimRandom random_;
  SimNetwork fabric_;
  std::unique_ptr<Network> a_network_;
  std::unique_ptr<Network> b_network_;
  std::unique_ptr<DatagramSocket> a_;
  std::unique_ptr<DatagramSocket> b_;
  std::array<char, 100> buffer_;
  std::vector<std::string> got_;
};

TEST_F(SimDatagramTest, ArrivesOnceAndInAnyOrder) {
  EXPECT_EQ(Arrived(100), 100);
  EXPECT_FALSE(std::is_sorted(got_.begin(), got_.end(), [](const auto& x, const auto& y) {
    return std::stoi(x) < std::stoi(y);
  }));
  a_->Send("c:2", "x");
  a_->Send("b:3", "x");
  a_->Send("nonsense", "x");
  executor_.RunFor(kSecondNs);
  EXPECT_EQ(got_.size(), 100u);
}

TEST_F(SimDatagramTest, IsLostOrDoubledByChance) {
  fabric_.SetDatagramFaults(1u << 30, 0);
  EXPECT_NEAR(Arrived(1000), 750, 60);
  fabric_.SetDatagramFaults(0, 1u << 30);
  EXPECT_NEAR(Arrived(700), 875, 60);
}

TEST_F(SimDatagramTest, ACutSwallowsIt) {
  fabric_.Cut("a", "b");
  EXPECT_EQ(Arrived(10), 0);
  fabric_.HealAll();
  EXPECT_EQ(Arrived(10), 10) << "what was swallowed is gone";
}

TEST_F(SimDatagramTest, APausedHostHearsItLater) {
  fabric_.Pause("b");
  EXPECT_EQ(Arrived(10), 0);
  fabric_.Resume("b");
  executor_.RunFor(kSecondNs);
  EXPECT_EQ(got_.size(), 10u);
}

TEST_F(SimDatagramTest, ADeadHostHearsNothing) {
  fabric_.Kill("b", SimNetwork::Death::kReset);
  EXPECT_EQ(Arrived(10), 0);
}

TEST_F(SimDatagramTest, PortsAreTakenOnce) {
  EXPECT_TRUE(absl::IsAlreadyExists(a_network_->BindDatagram("a:1").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(a_network_->BindDatagram("b:1").status()));
  a_.reset();
  EXPECT_TRUE(a_network_->BindDatagram("a:1").ok());
}

}  // namespace
}  // namespace cairn::env
