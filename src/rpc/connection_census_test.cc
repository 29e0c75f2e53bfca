#include "rpc/connection_census.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "rpc/limits.h"

namespace cairn::rpc {
namespace {

using Place = ConnectionCensus::Place;
using Verdict = ConnectionCensus::Verdict;

// A socket that belongs to this program as gRPC's would: nobody is told when it is closed.
int NewSocket() {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM, 0);
  CAIRN_CHECK(descriptor >= 0, "the test needs a socket");
  return descriptor;
}

// Only what the census uses of a connection.
class FakeConnection final : public env::Connection {
 public:
  explicit FakeConnection(std::optional<int> descriptor) : descriptor_(descriptor) {}
  void Read(std::span<char>, ReadCallback) override {}
  void Write(std::vector<env::Slice>, WriteCallback) override {}
  void Close() override {}
  const std::string& peer_address() const override { return peer_; }
  std::optional<int> ReleaseDescriptor() override { return descriptor_; }

 private:
  const std::optional<int> descriptor_;
  const std::string peer_ = "fake:1";
};

std::unique_ptr<env::Connection> Connect(std::optional<int> descriptor = std::nullopt) {
  return std::make_unique<FakeConnection>(descriptor);
}

class ConnectionCensusTest : public testing::Test {
 protected:
  void Start(ConnectionLimits limits) { census_ = ConnectionCensus::New(limits); }

  // A client's place; nothing is asked of the census that it must not refuse.
  Verdict TryClient(const std::string& peer, Place& place) {
    const Verdict verdict = census_->Enter(peer, place);
    return verdict == Verdict::kAdmitted ? census_->SettleAsClient(place) : verdict;
  }
  Place Client(const std::string& peer) {
    Place place;
    EXPECT_EQ(TryClient(peer, place), Verdict::kAdmitted) << peer;
    return place;
  }
  Verdict TryClient(const std::string& peer) {
    Place place;
    return TryClient(peer, place);
  }
  // A client whose socket has been given away.
  int GiveAway(const std::string& peer) {
    const int descriptor = NewSocket();
    EXPECT_EQ(ConnectionCensus::Hold(Connect(descriptor), Client(peer))->ReleaseDescriptor(),
              descriptor);
    return descriptor;
  }

  std::shared_ptr<ConnectionCensus> census_;
};

TEST_F(ConnectionCensusTest, CountsWithoutLimits) {
  Start({});
  std::vector<Place> places;
  for (int i = 0; i < 1000; ++i) places.push_back(Client("10.0.0.1:" + std::to_string(i)));
  EXPECT_EQ(census_->total(), 1000u);
  EXPECT_EQ(census_->addresses(), 1u);
  places.clear();
  EXPECT_EQ(census_->total(), 0u);
  EXPECT_EQ(census_->addresses(), 0u);
}

TEST_F(ConnectionCensusTest, RefusesBeyondTheTotalUntilOneLeaves) {
  Start({.total = 2});
  Place first = Client("10.0.0.1:1");
  const Place second = Client("10.0.0.2:1");
  EXPECT_EQ(TryClient("10.0.0.3:1"), Verdict::kTooMany);
  first.Release();
  const Place third = Client("10.0.0.3:1");
  EXPECT_EQ(TryClient("10.0.0.1:1"), Verdict::kTooMany);
}

TEST_F(ConnectionCensusTest, OneNetworkOfIpv6CountsAsOneAddress) {
  Start({.per_address = 2});
  const Place first = Client("[2001:db8:0:1::1]:1");
  const Place second = Client("[2001:db8:0:1:ffff::2]:1");
  EXPECT_EQ(TryClient("[2001:db8:0:1::3]:1"), Verdict::kTooManyFromAddress);
  const Place another = Client("[2001:db8:0:2::1]:1");
  // An IPv4 address stays one, however it is written.
  const Place third = Client("[::ffff:10.0.0.1]:1");
  const Place fourth = Client("[::ffff:10.0.0.2]:1");
  EXPECT_EQ(TryClient("[::ffff:10.0.0.3]:1"), Verdict::kAdmitted);
}

TEST_F(ConnectionCensusTest, UndecidedConnectionsCountInAllAndOfTheirAddressAmongThemselves) {
  Start({.total = 3, .per_address = 2});
  Place first, second, other, refused;
  EXPECT_EQ(census_->Enter("10.0.0.1:1", first), Verdict::kAdmitted);
  EXPECT_EQ(census_->Enter("10.0.0.1:2", second), Verdict::kAdmitted);
  EXPECT_EQ(census_->Enter("10.0.0.1:3", refused), Verdict::kTooManyFromAddress);
  EXPECT_EQ(census_->Enter("10.0.0.2:1", other), Verdict::kAdmitted);
  EXPECT_EQ(census_->Enter("10.0.0.3:1", refused), Verdict::kTooMany);
  other.Release();
  EXPECT_EQ(census_->SettleAsClient(first), Verdict::kAdmitted);
  EXPECT_EQ(census_->Enter("10.0.0.1:3", refused), Verdict::kAdmitted);
}

TEST_F(ConnectionCensusTest, RefusesBeyondTheLimitOfOneAddressOnly) {
  Start({.per_address = 2});
  Place first = Client("10.0.0.1:1");
  const Place second = Client("10.0.0.1:2");
  EXPECT_EQ(TryClient("10.0.0.1:3"), Verdict::kTooManyFromAddress);
  const Place other = Client("10.0.0.2:1");
  first.Release();
  const Place third = Client("10.0.0.1:3");
}

TEST_F(ConnectionCensusTest, KnowsIpV6AddressesAndOnesItCannotRead) {
  Start({.per_address = 1});
  const Place first = Client("[2001:db8::1]:1");
  EXPECT_EQ(TryClient("[2001:db8::1]:2"), Verdict::kTooManyFromAddress);
  const Place second = Client("[2001:db8:0:1::2]:1");
  const Place unknown = Client("unknown");
  EXPECT_EQ(TryClient("unknown"), Verdict::kTooManyFromAddress);
  EXPECT_EQ(census_->addresses(), 3u);
}

TEST_F(ConnectionCensusTest, PeersOfTheClusterAreNotHeldBackByClientsOfTheirAddress) {
  Start({.total = 4, .per_address = 1});
  const Place client = Client("10.0.0.1:1");
  std::vector<Place> peers(3);
  for (Place& peer : peers) {
    ASSERT_EQ(census_->Enter("10.0.0.1:2", peer), Verdict::kAdmitted);
    census_->SettleAsPeer(peer);
  }
  EXPECT_EQ(census_->total(), 4u);
  EXPECT_EQ(TryClient("10.0.0.2:1"), Verdict::kTooMany);  // but they are connections, too
  peers.clear();
  EXPECT_EQ(TryClient("10.0.0.1:3"), Verdict::kTooManyFromAddress);
}

TEST_F(ConnectionCensusTest, AHeldConnectionGivesItsPlaceBackOnceWhenItIsClosed) {
  Start({.total = 1});
  auto connection = ConnectionCensus::Hold(Connect(), Client("10.0.0.1:1"));
  EXPECT_EQ(connection->peer_address(), "fake:1");
  EXPECT_EQ(census_->total(), 1u);
  connection->Close();
  EXPECT_EQ(census_->total(), 0u);
  const Place other = Client("10.0.0.1:2");
  connection.reset();
  EXPECT_EQ(census_->total(), 1u);
}

TEST_F(ConnectionCensusTest, AHeldConnectionGivesItsPlaceBackWhenItIsDestroyed) {
  Start({.total = 1});
  ConnectionCensus::Hold(Connect(), Client("10.0.0.1:1")).reset();
  EXPECT_EQ(census_->total(), 0u);
  // Without a descriptor to give away, the connection is at its end.
  EXPECT_EQ(ConnectionCensus::Hold(Connect(), Client("10.0.0.1:1"))->ReleaseDescriptor(),
            std::nullopt);
  EXPECT_EQ(census_->total(), 0u);
}

TEST_F(ConnectionCensusTest, NoticesAtTheLimitThatADescriptorGivenAwayWasClosed) {
  Start({.total = 2, .per_address = 1});
  const int first = GiveAway("10.0.0.1:1");
  const int second = GiveAway("10.0.0.2:1");
  EXPECT_EQ(TryClient("10.0.0.3:1"), Verdict::kTooMany);
  ::close(first);
  const int third = GiveAway("10.0.0.3:1");
  EXPECT_EQ(TryClient("10.0.0.1:1"), Verdict::kTooMany);
  ::close(second);
  EXPECT_EQ(TryClient("10.0.0.3:2"), Verdict::kTooManyFromAddress);
  ::close(third);
  const int again = GiveAway("10.0.0.3:3");
  EXPECT_EQ(census_->total(), 1u);
  ::close(again);
}

TEST_F(ConnectionCensusTest, IsNotDeceivedByTheSameDescriptorOfAnotherSocket) {
  Start({.per_address = 1});
  const int first = GiveAway("10.0.0.1:1");
  ::close(first);
  const int reused = NewSocket();
  ASSERT_EQ(reused, first);
  const int second = GiveAway("10.0.0.1:2");
  EXPECT_EQ(TryClient("10.0.0.1:3"), Verdict::kTooManyFromAddress);
  ::close(reused);
  ::close(second);
}

TEST_F(ConnectionCensusTest, KeepsOneEntryOfADescriptorHoweverManySocketsHadIt) {
  Start({});
  for (int i = 0; i < 100; ++i) ::close(GiveAway("10.0.0." + std::to_string(i) + ":1"));
  EXPECT_EQ(census_->total(), 1u);
  EXPECT_EQ(census_->addresses(), 1u);
}

TEST_F(ConnectionCensusTest, LooksAtABoundedNumberOfDescriptorsAndAtAllInTheEnd) {
  const size_t count = 2 * kCensusLooks + 10;
  Start({.total = count, .per_address = count});
  std::vector<int> descriptors;
  while (descriptors.size() < count) descriptors.push_back(GiveAway("10.0.0.1:1"));
  // The last one: it takes three looks from the beginning.
  ::close(descriptors.back());
  descriptors.pop_back();
  int refused = 0;
  Place place;
  while (TryClient("10.0.0.1:1", place) != Verdict::kAdmitted) ++refused;
  EXPECT_EQ(refused, 2);
  EXPECT_EQ(census_->total(), count);
  for (const int descriptor : descriptors) ::close(descriptor);
}

TEST_F(ConnectionCensusTest, PlacesMayOutliveTheirOwner) {
  Start({.total = 1});
  const int descriptor = NewSocket();
  auto given_away = ConnectionCensus::Hold(Connect(descriptor), Client("10.0.0.1:1"));
  census_.reset();
  EXPECT_EQ(given_away->ReleaseDescriptor(), descriptor);
  ::close(descriptor);
}

}  // namespace
}  // namespace cairn::rpc
