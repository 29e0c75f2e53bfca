#include "env/network.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "env/event_loop.h"

namespace cairn::env {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// Everything runs on one loop. Calls of the test's thread go through On(), results come back as
// futures.
class NetworkTest : public testing::Test {
 protected:
  NetworkTest() { listener_ = loop_.Listen("127.0.0.1:0").value(); }
  ~NetworkTest() override {
    On<int>([this] {
      client_.reset();
      server_.reset();
      listener_.reset();
      return 0;
    });
  }

  template <typename Result>
  Result On(std::function<Result()> call) {
    std::promise<Result> result;
    loop_.Post([&] { result.set_value(call()); });
    return result.get_future().get();
  }

  template <typename Result>
  using Future = std::future<Result>;

  Future<absl::StatusOr<std::unique_ptr<Connection>>> Accept() {
    std::promise<absl::StatusOr<std::unique_ptr<Connection>>> result;
    auto future = result.get_future();
    loop_.Post([this, result = std::move(result)]() mutable {
      listener_->Accept([result = std::move(result)](
                            absl::StatusOr<std::unique_ptr<Connection>> connection) mutable {
        result.set_value(std::move(connection));
      });
    });
    return future;
  }
  Future<absl::StatusOr<std::unique_ptr<Connection>>> Connect(const std::string& address) {
    std::promise<absl::StatusOr<std::unique_ptr<Connection>>> result;
    auto future = result.get_future();
    loop_.Post([this, address, result = std::move(result)]() mutable {
      loop_.Connect(address, [result = std::move(result)](
                                 absl::StatusOr<std::unique_ptr<Connection>> connection) mutable {
        result.set_value(std::move(connection));
      });
    });
    return future;
  }
  Future<absl::StatusOr<size_t>> Read(Connection& connection, std::span<char> into) {
    std::promise<absl::StatusOr<size_t>> result;
    auto future = result.get_future();
    loop_.Post([&connection, into, result = std::move(result)]() mutable {
      connection.Read(into, [result = std::move(result)](absl::StatusOr<size_t> size) mutable {
        result.set_value(std::move(size));
      });
    });
    return future;
  }
  Future<absl::Status> Write(Connection& connection, std::string data) {
    std::promise<absl::Status> result;
    auto future = result.get_future();
    loop_.Post([&connection, data = std::move(data), result = std::move(result)]() mutable {
      connection.Write(std::move(data), [result = std::move(result)](absl::Status s) mutable {
        result.set_value(std::move(s));
      });
    });
    return future;
  }
  std::string ReadExactly(Connection& connection, size_t size) {
    std::string data(size, '\0');
    size_t done = 0;
    while (done < size) {
      const auto got = Read(connection, std::span(data).subspan(done)).get();
      if (!got.ok() || *got == 0) break;
      done += *got;
    }
    data.resize(done);
    return data;
  }
  void ConnectBoth() {
    auto accepted = Accept();
    client_ = Connect(listener_->local_address()).get().value();
    server_ = accepted.get().value();
  }

  EventLoop loop_{"network-test"};
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<Connection> client_;
  std::unique_ptr<Connection> server_;
};

TEST_F(NetworkTest, ListenerKnowsItsRealPort) {
  EXPECT_THAT(listener_->local_address(), StartsWith("127.0.0.1:"));
  EXPECT_NE(listener_->local_address(), "127.0.0.1:0");
}

TEST_F(NetworkTest, ConnectionsKnowTheOtherEnd) {
  ConnectBoth();
  EXPECT_EQ(client_->peer_address(), listener_->local_address());
  EXPECT_THAT(server_->peer_address(), StartsWith("127.0.0.1:"));
}

TEST_F(NetworkTest, CarriesMoreThanTheSocketsBuffersBothWays) {
  ConnectBoth();
  std::string data(16 << 20, '\0');
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(i * 2654435761u >> 24);
  auto wrote = Write(*client_, data);
  auto wrote_back = Write(*server_, "answer");
  EXPECT_TRUE(ReadExactly(*server_, data.size()) == data);
  EXPECT_EQ(ReadExactly(*client_, 6), "answer");
  EXPECT_TRUE(wrote.get().ok());
  EXPECT_TRUE(wrote_back.get().ok());
}

TEST_F(NetworkTest, GathersOwnedAndSharedPiecesInOrder) {
  ConnectBoth();
  const auto shared = std::make_shared<const std::string>(std::string(3 << 20, 's') + "tail");
  std::string expected;
  std::vector<Slice> slices;
  for (int i = 0; i < 100; ++i) {  // more than one system call takes
    slices.emplace_back("<" + std::to_string(i) + ">");
    slices.emplace_back(shared, i, i % 3 == 0 ? 0 : 70'000);
    slices.emplace_back(shared, 3 << 20, 4);
    for (size_t at = slices.size() - 3; at < slices.size(); ++at) expected += slices[at].view();
  }
  std::promise<absl::Status> wrote;
  loop_.Post([&] {
    client_->Write(std::move(slices), [&](absl::Status status) { wrote.set_value(status); });
  });
  EXPECT_TRUE(ReadExactly(*server_, expected.size()) == expected);
  EXPECT_TRUE(wrote.get_future().get().ok());
  EXPECT_EQ(shared.use_count(), 1) << "the pieces are let go";
}

TEST_F(NetworkTest, AnEmptyWriteCompletes) {
  ConnectBoth();
  EXPECT_TRUE(Write(*client_, "").get().ok());
}

TEST_F(NetworkTest, ReadsZeroBytesWhenThePeerHasClosed) {
  ConnectBoth();
  std::array<char, 10> into;
  auto read = Read(*server_, into);
  loop_.Post([this] { client_.reset(); });
  EXPECT_EQ(read.get().value(), 0u);
}

TEST_F(NetworkTest, CloseCancelsWhatIsPending) {
  ConnectBoth();
  std::array<char, 10> into;
  auto read = Read(*server_, into);
  auto write = Write(*server_, std::string(64 << 20, 'x'));  // more than the buffers: nobody reads
  loop_.Post([this] { server_->Close(); });
  EXPECT_TRUE(absl::IsCancelled(read.get().status()));
  EXPECT_TRUE(absl::IsCancelled(write.get()));
  EXPECT_TRUE(absl::IsCancelled(Read(*server_, into).get().status()));
  EXPECT_TRUE(absl::IsCancelled(Write(*server_, "x").get()));
}

TEST_F(NetworkTest, DestructionCancelsWhatIsPending) {
  ConnectBoth();
  std::array<char, 10> into;
  auto read = Read(*server_, into);
  auto accept = Accept();
  loop_.Post([this] {
    server_.reset();
    listener_.reset();
  });
  EXPECT_TRUE(absl::IsCancelled(read.get().status()));
  EXPECT_TRUE(absl::IsCancelled(accept.get().status()));
}

TEST_F(NetworkTest, TheLoopsEndStillDeliversCancellations) {
  std::array<char, 10> into;
  std::future<absl::StatusOr<size_t>> read;
  {
    EventLoop loop("ends");
    auto listener = loop.Listen("127.0.0.1:0").value();
    auto connected = std::make_shared<std::promise<std::unique_ptr<Connection>>>();
    loop.Connect(listener->local_address(), [connected](auto connection) {
      connected->set_value(std::move(connection).value());
    });
    std::unique_ptr<Connection> connection = connected->get_future().get();
    auto result = std::make_shared<std::promise<absl::StatusOr<size_t>>>();
    read = result->get_future();
    loop.Post([&into, result, connection = std::move(connection),
               listener = std::move(listener)]() mutable {
      connection->Read(into, [result](absl::StatusOr<size_t> size) { result->set_value(size); });
      connection.reset();
      listener.reset();
    });
  }
  EXPECT_TRUE(absl::IsCancelled(read.get().status()));
}

TEST_F(NetworkTest, ABrokenConnectionIsUnavailable) {
  ConnectBoth();
  const int descriptor = On<int>([this] { return client_->ReleaseDescriptor().value(); });
  const linger reset = {1, 0};
  ASSERT_EQ(::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
  ::close(descriptor);  // sends RST
  std::array<char, 10> into;
  const absl::Status status = Read(*server_, into).get().status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(server_->peer_address()));
}

TEST_F(NetworkTest, AReleasedDescriptorIsNonBlockingAndUsable) {
  ConnectBoth();
  const auto released = On<std::optional<int>>([this] { return server_->ReleaseDescriptor(); });
  ASSERT_TRUE(released.has_value());
  EXPECT_NE(::fcntl(*released, F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(On<std::optional<int>>([this] { return server_->ReleaseDescriptor(); }), std::nullopt);
  loop_.Post([this] { server_.reset(); });  // must leave the descriptor alone

  ASSERT_TRUE(Write(*client_, "ping").get().ok());
  pollfd readable = {*released, POLLIN, 0};
  ASSERT_EQ(::poll(&readable, 1, 10'000), 1);
  std::array<char, 10> into;
  EXPECT_EQ(::read(*released, into.data(), into.size()), 4);
  EXPECT_EQ(::write(*released, "pong", 4), 4);
  EXPECT_EQ(ReadExactly(*client_, 4), "pong");
  ::close(*released);
}

TEST_F(NetworkTest, ReleasesADescriptorAfterReadingFromIt) {
  ConnectBoth();
  ASSERT_TRUE(Write(*client_, "first").get().ok());
  EXPECT_EQ(ReadExactly(*server_, 5), "first");
  const int released = On<int>([this] { return server_->ReleaseDescriptor().value(); });
  ASSERT_TRUE(Write(*client_, "then").get().ok());
  pollfd readable = {released, POLLIN, 0};
  ASSERT_EQ(::poll(&readable, 1, 10'000), 1);
  std::array<char, 10> into;
  EXPECT_EQ(::read(released, into.data(), into.size()), 4);
  ::close(released);
}

TEST_F(NetworkTest, APortInUseIsReportedWithItsAddress) {
  const absl::Status status = loop_.Listen(listener_->local_address()).status();
  EXPECT_TRUE(absl::IsAlreadyExists(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(listener_->local_address()));
}

TEST_F(NetworkTest, MalformedAddressesAreInvalid) {
  EXPECT_TRUE(absl::IsInvalidArgument(loop_.Listen("nonsense").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(loop_.Listen("127.0.0.1:http").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Connect("nonsense").get().status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Connect("127.0.0.1:0").get().status()));
}

TEST_F(NetworkTest, NobodyListeningIsUnavailable) {
  const std::string address = listener_->local_address();
  On<int>([this] {
    listener_.reset();
    return 0;
  });
  const absl::Status status = Connect(address).get().status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(address));
}

TEST_F(NetworkTest, AcceptGoesOnAfterRunningOutOfDescriptors) {
  auto accepted = Accept();
  auto connected = Connect(listener_->local_address());
  client_ = connected.get().value();
  server_ = accepted.get().value();
  // A second connection waits in the kernel; accepting it fails for want of a descriptor, and then
  // works.
  auto second = Connect(listener_->local_address()).get().value();
  rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none = {0, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const absl::Status refused = Accept().get().status();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  auto again = Accept().get();
  EXPECT_TRUE(again.ok()) << again.status();
  On<int>([&] {
    again = absl::UnknownError("gone");
    second.reset();
    return 0;
  });
}

}  // namespace
}  // namespace cairn::env
