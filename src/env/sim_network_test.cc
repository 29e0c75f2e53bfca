#include "env/sim_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/strings.h"
#include "env/sim_clock.h"
#include "env/sim_executor.h"

namespace cairn::env {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kSecond = 1000 * kMs;

// Reads what comes for ever.
struct Reader {
  explicit Reader(std::unique_ptr<Connection> c) : connection(std::move(c)) { Next(); }
  void Next() {
    connection->Read(buffer, [this](absl::StatusOr<size_t> size) {
      if (!size.ok() || *size == 0) {
        end = size.status();
        return;
      }
      data.append(buffer.data(), *size);
      ++reads;
      Next();
    });
  }

  std::unique_ptr<Connection> connection;
  std::array<char, 10'000> buffer;
  std::string data;
  int reads = 0;
  std::optional<absl::Status> end;  // OK: closed by the peer
};

class SimNetworkTest : public testing::Test {
 protected:
  SimNetworkTest() : SimNetworkTest(1) {}
  explicit SimNetworkTest(uint64_t seed)
      : random_(seed),
        fabric_(clock_, executor_, random_),
        a_(fabric_.AddHost("a", executor_)),
        b_(fabric_.AddHost("b", executor_)),
        listener_(b_->Listen("b:1").value()) {}

  // The client's end, or why there is none; the server's goes to `server_`.
  absl::StatusOr<std::unique_ptr<Connection>> Connect(int64_t wait_ns = kSecond) {
    std::optional<absl::StatusOr<std::unique_ptr<Connection>>> result;
    if (!accepting_) {
      accepting_ = true;
      listener_->Accept([this](absl::StatusOr<std::unique_ptr<Connection>> c) {
        accepting_ = false;
        if (c.ok()) server_ = *std::move(c);
      });
    }
    a_->Connect("b:1",
                [&](absl::StatusOr<std::unique_ptr<Connection>> c) { result = std::move(c); });
    executor_.RunFor(wait_ns);
    if (!result) return absl::DeadlineExceededError("still connecting");
    return std::move(*result);
  }
  // The status of a Write, nullopt while it is under way.
  std::shared_ptr<std::optional<absl::Status>> Write(Connection& connection, std::string data) {
    auto result = std::make_shared<std::optional<absl::Status>>();
    connection.Write(std::move(data), [result](absl::Status status) { *result = status; });
    return result;
  }

  SimClock clock_;
  SimExecutor executor_{clock_};
  SimRandom random_;
  SimNetwork fabric_;
  std::unique_ptr<Network> a_;
  std::unique_ptr<Network> b_;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<Connection> server_;
  bool accepting_ = false;
};

std::string Pattern(size_t size) {
  std::string data(size, '\0');
  for (size_t i = 0; i < size; ++i) data[i] = static_cast<char>(i * 2654435761u >> 24);
  return data;
}

TEST_F(SimNetworkTest, CarriesBytesInOrderWithLatency) {
  auto client = Connect().value();
  EXPECT_EQ(client->peer_address(), "b:1");
  Reader reader(std::move(server_));
  const std::string data = Pattern(1 << 20);
  const auto wrote = Write(*client, data);
  executor_.RunFor(50'000);
  EXPECT_EQ(reader.data, "") << "nothing is faster than the shortest latency";
  executor_.RunFor(kSecond);
  EXPECT_TRUE(reader.data == data);
  EXPECT_TRUE(wrote->value().ok());
  client.reset();
  executor_.RunFor(kSecond);
  EXPECT_TRUE(reader.end.value().ok());
}

TEST_F(SimNetworkTest, AWriteWaitsForTheReader) {
  auto client = Connect().value();
  const auto wrote = Write(*client, Pattern(1 << 20));
  executor_.RunFor(kSecond);
  EXPECT_FALSE(wrote->has_value());
  Reader reader(std::move(server_));
  executor_.RunFor(kSecond);
  EXPECT_TRUE(wrote->value().ok());
}

TEST_F(SimNetworkTest, NobodyListensThere) {
  listener_.reset();
  absl::Status refused;
  a_->Connect("b:1", [&](auto connection) { refused = connection.status(); });
  executor_.RunFor(kSecond);
  EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
  a_->Connect("nowhere:1", [&](auto connection) { refused = connection.status(); });
  executor_.RunFor(kSecond);
  EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
}

TEST_F(SimNetworkTest, ClosingCancelsWhatIsPending) {
  auto client = Connect().value();
  const auto wrote = Write(*client, Pattern(1 << 20));
  client->Close();
  EXPECT_FALSE(wrote->has_value()) << "never inline";
  executor_.RunUntilIdle();
  EXPECT_TRUE(absl::IsCancelled(wrote->value()));
}

TEST_F(SimNetworkTest, AHealedCutDeliversWhatWasHeld) {
  auto client = Connect().value();
  Reader reader(std::move(server_));
  fabric_.Cut("a", "b");
  const auto wrote = Write(*client, "held");
  executor_.RunFor(10 * kSecond);
  EXPECT_EQ(reader.data, "");
  fabric_.Heal("a", "b");
  executor_.RunFor(kSecond);
  EXPECT_EQ(reader.data, "held");
  executor_.RunFor(100 * kSecond);
  EXPECT_FALSE(reader.end);
}

TEST_F(SimNetworkTest, ALongCutBreaksTheSenderAndLeavesTheReceiverHalfOpen) {
  auto client = Connect().value();
  Reader server(std::move(server_));
  fabric_.CutBoth("a", "b");
  Write(*client, "lost");
  Reader reader(std::move(client));
  executor_.RunFor(100 * kSecond);
  EXPECT_TRUE(absl::IsUnavailable(reader.end.value()));
  EXPECT_FALSE(server.end);
  fabric_.HealAll();
  executor_.RunFor(kSecond);
  EXPECT_EQ(server.data, "");
  EXPECT_FALSE(server.end) << "it does not know";
  Write(*server.connection, "x");
  executor_.RunFor(kSecond);
  EXPECT_TRUE(absl::IsUnavailable(server.end.value())) << "until it writes";
}

TEST_F(SimNetworkTest, WithoutAcknowledgementsASenderGivesUp) {
  auto client = Connect().value();
  Reader server(std::move(server_));
  fabric_.Cut("b", "a");
  Write(*client, "arrives");
  Reader reader(std::move(client));
  executor_.RunFor(kSecond);
  EXPECT_EQ(server.data, "arrives");
  executor_.RunFor(100 * kSecond);
  EXPECT_TRUE(absl::IsUnavailable(reader.end.value()));
}

TEST_F(SimNetworkTest, AConnectThroughACutTimesOutOrComesWithTheHeal) {
  fabric_.Cut("a", "b");
  EXPECT_TRUE(absl::IsUnavailable(Connect(100 * kSecond).status()));
  fabric_.HealAll();
  EXPECT_TRUE(Connect().ok());
  fabric_.Cut("b", "a");
  std::unique_ptr<Connection> late;
  a_->Connect("b:1", [&](auto connection) { late = std::move(connection).value(); });
  executor_.RunFor(3 * kSecond);
  EXPECT_EQ(late, nullptr);
  fabric_.HealAll();
  executor_.RunFor(3 * kSecond);
  EXPECT_NE(late, nullptr);
}

TEST_F(SimNetworkTest, ADeadProcessResetsItsStreamsAndADeadMachineSaysNothing) {
  for (const auto death : {SimNetwork::Death::kReset, SimNetwork::Death::kSilent}) {
    const bool reset = death == SimNetwork::Death::kReset;
    Reader reader(Connect().value());
    bool told = false;
    std::array<char, 10> into;
    server_->Read(into, [&](absl::StatusOr<size_t>) { told = true; });
    fabric_.Kill("b", death);
    executor_.RunFor(kSecond);
    EXPECT_FALSE(told) << "the dead hear nothing";
    EXPECT_EQ(reader.end.has_value(), reset);
    absl::Status refused;
    a_->Connect("b:1", [&](auto connection) { refused = connection.status(); });
    executor_.RunFor(kSecond);
    EXPECT_EQ(absl::IsUnavailable(refused), reset);
    executor_.RunFor(100 * kSecond);
    EXPECT_TRUE(absl::IsUnavailable(refused));
    listener_.reset();
    server_.reset();
    accepting_ = false;
    b_ = fabric_.AddHost("b", executor_);
    listener_ = b_->Listen("b:1").value();
    if (!reset) {
      Write(*reader.connection, "x");
      executor_.RunFor(kSecond);
      EXPECT_TRUE(reader.end) << "the machine is back and knows no such stream";
    }
  }
  EXPECT_TRUE(Connect().ok());
}

TEST_F(SimNetworkTest, ResetsBreakBothEnds) {
  Reader client(Connect().value());
  Reader server(std::move(server_));
  EXPECT_EQ(fabric_.open_streams(), 1u);
  EXPECT_EQ(fabric_.ResetConnections("b", "a"), 1);
  executor_.RunUntilIdle();
  EXPECT_TRUE(absl::IsUnavailable(client.end.value()));
  EXPECT_TRUE(absl::IsUnavailable(server.end.value()));
  EXPECT_EQ(fabric_.open_streams(), 0u);
}

TEST_F(SimNetworkTest, AChanceOfResetsBreaksStreamsInTheEnd) {
  auto client = Connect().value();
  Reader server(std::move(server_));
  fabric_.SetResetChance(1u << 30);  // one in four
  const auto wrote = Write(*client, Pattern(10 << 20));
  executor_.RunFor(10 * kSecond);
  EXPECT_TRUE(absl::IsUnavailable(wrote->value()));
  EXPECT_TRUE(absl::IsUnavailable(server.end.value()));
  EXPECT_TRUE(Pattern(10 << 20).starts_with(server.data));
}

TEST_F(SimNetworkTest, APausedHostHearsLaterAndItsKernelGoesOn) {
  auto client = Connect().value();
  Reader server(std::move(server_));
  fabric_.Pause("b");
  const auto wrote = Write(*client, "abc");
  executor_.RunFor(100 * kSecond);
  EXPECT_TRUE(wrote->value().ok());
  EXPECT_EQ(server.data, "");
  EXPECT_TRUE(Connect().ok()) << "the kernel accepts";
  fabric_.Resume("b");
  executor_.RunFor(kSecond);
  EXPECT_EQ(server.data, "abc");
}

TEST_F(SimNetworkTest, ADelayHoldsUpOneDirection) {
  auto client = Connect().value();
  Reader server(std::move(server_));
  fabric_.SetDelay("a", "b", 5 * kSecond);
  Write(*client, "slow");
  executor_.RunFor(4 * kSecond);
  EXPECT_EQ(server.data, "");
  executor_.RunFor(2 * kSecond);
  EXPECT_EQ(server.data, "slow");
}

TEST_F(SimNetworkTest, BandwidthIsALimit) {
  SimNetwork slow(clock_, executor_, random_, {.bytes_per_second = 1 << 20});
  const auto x = slow.AddHost("x", executor_);
  const auto y = slow.AddHost("y", executor_);
  const auto listener = y->Listen("y:0").value();
  std::unique_ptr<Reader> server;
  listener->Accept([&](auto c) { server = std::make_unique<Reader>(std::move(c).value()); });
  std::unique_ptr<Connection> client;
  x->Connect(listener->local_address(), [&](auto c) { client = std::move(c).value(); });
  executor_.RunFor(kSecond);
  Write(*client, Pattern(10 << 20));
  executor_.RunFor(5 * kSecond);
  EXPECT_NEAR(static_cast<double>(server->data.size()), 5 << 20, 1 << 20);
}

// Everything a run shows, as text.
std::string Trace(uint64_t seed) {
  SimClock clock;
  SimExecutor executor(clock);
  SimRandom random(seed);
  SimNetwork fabric(clock, executor, random, {.reset_chance = 1u << 22});
  const auto a = fabric.AddHost("a", executor);
  const auto b = fabric.AddHost("b", executor);
  const auto listener = b->Listen("b:1").value();
  std::string trace;
  for (int round = 0; round < 5; ++round) {
    std::unique_ptr<Reader> server;
    std::unique_ptr<Connection> client;
    listener->Accept([&](auto c) { server = std::make_unique<Reader>(std::move(c).value()); });
    a->Connect("b:1", [&](auto c) {
      client = std::move(c).value();
      client->Write(Pattern(300'000), [&](const absl::Status& status) {
        trace += base::StrCat(clock.MonotonicNs(), " ", status.ToString(), "\n");
      });
    });
    executor.RunFor(kSecond);
    trace += base::StrCat(server->reads, " ", server->data.size(), "\n");
    // The reader stays until its last callback.
    client.reset();
    server->connection->Close();
    executor.RunUntilIdle();
  }
  return trace;
}

TEST(SimNetworkTraceTest, TheSameSeedGivesTheSameTrace) {
  EXPECT_EQ(Trace(1), Trace(1));
  EXPECT_NE(Trace(1), Trace(2));
}

}  // namespace
}  // namespace cairn::env
