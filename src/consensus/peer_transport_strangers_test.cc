// Who may connect and who may not, and what strangers can do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "consensus/peer_transport_testing.h"

namespace cairn::consensus {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// What is refused, is refused without harm and without a busy loop.
struct Refused {
  const char* name;
  std::function<void(PeerIdentity&)> change;
  PeerRejection kind;
};
void PrintTo(const Refused& refused, std::ostream* out) { *out << refused.name; }
class PeerRefusalTest : public PeerTransportTest, public testing::WithParamInterface<Refused> {};

TEST_P(PeerRefusalTest, IsToldCountedAndNotTriedInABusyLoop) {
  a_ = NewNode(1);
  PeerIdentity identity = {.cluster = kCluster,
                           .node_uuid = base::Uuid::FromRandom(2, 2),
                           .node = NodeId(2),
                           .name = "n2",
                           .address = "n2:8400"};
  GetParam().change(identity);
  b_ = NewNode(2, {.identity = identity});
  a_->transport().SetPeer(NodeId(2), b_->address());
  executor_.RunFor(10 * kSecond);
  EXPECT_FALSE(Probe(1));
  EXPECT_THAT(a_->rejections, testing::Each(PeerRejection::kRefusedByPeer));
  EXPECT_THAT(b_->rejections, testing::Each(GetParam().kind));
  EXPECT_GE(b_->rejections.size(), 4u);
  EXPECT_LE(b_->rejections.size(), 11u);
  EXPECT_EQ(fabric_.open_streams(), 0u);
}

INSTANTIATE_TEST_SUITE_P(
    All, PeerRefusalTest,
    testing::Values(Refused{"cluster",
                            [](PeerIdentity& id) { id.cluster = base::Uuid::FromRandom(5, 5); },
                            PeerRejection::kWrongCluster},
                    Refused{"target", [](PeerIdentity& id) { id.node = NodeId(3); },
                            PeerRejection::kWrongTarget},
                    Refused{"empty disk",
                            [](PeerIdentity& id) {
                              id.node = NodeId(0);
                              id.cluster = base::Uuid();
                            },
                            PeerRejection::kWrongTarget}));

TEST_F(PeerTransportTest, TheHandlerMayRefuse) {
  b_ = NewNode(2);
  b_->validate = [](const PeerIdentity& peer) {
    return absl::PermissionDeniedError("no " + peer.name);
  };
  a_ = NewNode(1);
  a_->transport().SetPeer(NodeId(2), b_->address());
  executor_.RunFor(kSecond);
  EXPECT_THAT(b_->rejections, testing::Contains(PeerRejection::kNotAllowed));
  EXPECT_THAT(std::string(base::StdView(a_->why_rejected.message())), HasSubstr("no n1"));
}

TEST_F(PeerTransportTest, RefusesStrangersAndTheirGarbage) {
  Connect();
  const auto rejected = [&](PeerRejection kind, std::string bytes, bool close = false) {
    const uint64_t before = b_->transport().counters().rejected(kind);
    const auto [answer, closed] = Stranger(std::move(bytes), close);
    EXPECT_EQ(b_->transport().counters().rejected(kind), before + 1) << ToString(kind);
    if (!close) {
      EXPECT_TRUE(closed) << ToString(kind);
    }
    return answer;
  };
  const std::string hello = OpeningOf(HelloToB());
  EXPECT_FALSE(Stranger(hello).second) << "this one is fine";
  rejected(PeerRejection::kBadChecksum, "\x01" + std::string(1000, '\xff'));
  rejected(PeerRejection::kBadChecksum, "\x01GET / HTTP/1.1 and more than thirty-two bytes");
  rejected(PeerRejection::kTruncated, hello.substr(0, 50), true);
  rejected(PeerRejection::kTruncated, hello + hello.substr(1, 10), true);
  rejected(PeerRejection::kUnexpected, hello + hello.substr(1));
  {
    Hello newer = HelloToB();
    newer.version_min = newer.version_max = kPeerVersionMax + 1;
    EXPECT_THAT(rejected(PeerRejection::kWrongVersion, OpeningOf(newer)),
                HasSubstr("no common version"));
    newer.version_min = 0;
    EXPECT_FALSE(Stranger(OpeningOf(newer)).second) << "there is a common version";
  }
  {
    Hello other = HelloToB();
    other.from.cluster = base::Uuid::FromRandom(4, 4);
    rejected(PeerRejection::kWrongCluster, OpeningOf(other));
  }
  {
    env::SliceBuffer buffer;
    AppendFrame(FrameType::kHello, GroupId(0), std::string(5000, 'x'), 0, 0, buffer);
    rejected(PeerRejection::kOversized, "\x01" + Join(buffer.Take()));
  }
  {
    env::SliceBuffer buffer;
    AppendFrame(FrameType::kHello, GroupId(0), "too short", 0, 0, buffer);
    rejected(PeerRejection::kMalformed, "\x01" + Join(buffer.Take()));
  }
  {
    env::SliceBuffer buffer;
    ASSERT_TRUE(EncodeMessage(GroupId(1), AppendOf(1, 10'000), buffer).ok());
    std::string bytes = Join(buffer.Take());
    bytes.back() ^= 1;
    rejected(PeerRejection::kBadChecksum, hello + bytes);
  }
  {
    Hello caller = HelloToB();
    caller.purpose = PeerPurpose::kCalls;
    env::SliceBuffer buffer;
    ASSERT_TRUE(EncodeMessage(GroupId(1), ProbeOf(1), buffer).ok());
    rejected(PeerRejection::kUnexpected, OpeningOf(caller) + Join(buffer.Take()));
  }
  EXPECT_TRUE(Probe(77)) << "the node is unharmed";
  executor_.RunFor(kSecond);
  EXPECT_EQ(b_->probes.back(), 77u);
  EXPECT_THAT(a_->downs, ElementsAre());
}

TEST_F(PeerTransportTest, ASilentStrangerIsClosedAtTheDeadline) {
  Connect();
  const auto network = fabric_.AddHost("stranger", executor_);
  std::unique_ptr<env::Connection> connection;
  network->Connect(b_->address(), [&](auto c) { connection = std::move(c).value(); });
  executor_.RunFor(100 * kMs);
  connection->Write(std::string(1, kPeerFirstByte), [](const absl::Status&) {});
  executor_.RunFor(2800 * kMs);
  EXPECT_THAT(b_->rejections, ElementsAre());
  executor_.RunFor(400 * kMs);
  EXPECT_THAT(b_->rejections, ElementsAre(PeerRejection::kHandshakeTimeout));
}

TEST_F(PeerTransportTest, IncomingConnectionsAreBounded) {
  Connect({.max_incoming = 1});
  EXPECT_TRUE(Stranger(OpeningOf(HelloToB())).second);
  EXPECT_THAT(b_->rejections, ElementsAre(PeerRejection::kOverloaded));
}

TEST_F(PeerTransportTest, ANewConnectionOfAPeerTakesThePlaceOfTheOld) {
  Connect();
  const std::string hello = OpeningOf(HelloToB());
  const auto network = fabric_.AddHost("stranger", executor_);
  std::unique_ptr<env::Connection> first;
  network->Connect(b_->address(), [&](auto c) { first = std::move(c).value(); });
  executor_.RunFor(10 * kMs);
  first->Write(hello, [](const absl::Status&) {});
  executor_.RunFor(10 * kMs);
  const size_t streams = fabric_.open_streams();
  std::unique_ptr<env::Connection> second;
  network->Connect(b_->address(), [&](auto c) { second = std::move(c).value(); });
  executor_.RunFor(10 * kMs);
  second->Write(hello, [](const absl::Status&) {});
  executor_.RunFor(10 * kMs);
  std::string buffer(1000, '\0');
  bool closed = false;
  std::function<void(absl::StatusOr<size_t>)> on_read = [&](absl::StatusOr<size_t> size) {
    closed = !size.ok() || *size == 0;
    if (!closed) first->Read(buffer, on_read);
  };
  first->Read(buffer, on_read);
  executor_.RunFor(10 * kMs);
  EXPECT_TRUE(closed);
  first.reset();
  executor_.RunFor(10 * kMs);
  EXPECT_EQ(fabric_.open_streams(), streams);
  second.reset();
  executor_.RunFor(10 * kMs);
}

}  // namespace
}  // namespace cairn::consensus
