// Calls between nodes: answers, errors, deadlines.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error_info.h"
#include "consensus/peer_transport_testing.h"

namespace cairn::consensus {
namespace {

using testing::ElementsAre;

TEST_F(PeerTransportTest, CallsAreAnsweredWithPayloadsAndErrors) {
  Connect();
  EXPECT_EQ(Call("hello").value().value(), "5:hello");
  EXPECT_EQ(b_->requester, a_->identity());
  EXPECT_EQ(Call(std::string(5 << 20, 'x'), 60 * kSecond, 60 * kSecond).value()->size(),
            (5u << 20) + 2);
  b_->on_request = [](uint16_t, std::string, PeerResponder responder) {
    responder.Respond(base::MakeError(absl::StatusCode::kUnavailable, "not here", "NOT_LEADER",
                                      {{"leader_id", "3"}, {"leader_addr", "n3:1"}}));
  };
  const absl::Status error = Call("x").value().status();
  EXPECT_TRUE(absl::IsUnavailable(error));
  EXPECT_EQ(error.message(), "not here");
  EXPECT_EQ(base::GetErrorInfo(error)->metadata["leader_addr"], "n3:1");
  b_->on_request = [](uint16_t, std::string, PeerResponder) {};
  EXPECT_TRUE(absl::IsUnavailable(Call("dropped").value().status()));
}

TEST_F(PeerTransportTest, CallsEndWithTheirTimeoutOrTheirPeer) {
  Connect();
  std::vector<PeerResponder> responders;
  b_->on_request = [&](uint16_t, std::string, PeerResponder responder) {
    responders.push_back(std::move(responder));
  };
  EXPECT_TRUE(absl::IsDeadlineExceeded(Call("slow").value().status()));
  responders[0].Respond("late");  // nobody minds
  executor_.RunFor(kSecond);
  EXPECT_THAT(a_->downs, ElementsAre());
  EXPECT_EQ(Call("slow", 60 * kSecond), std::nullopt);
  absl::Status status;
  a_->transport().Call(NodeId(2), 1, "x", 60 * kSecond, [&](auto r) { status = r.status(); });
  executor_.RunFor(kMs);
  fabric_.ResetConnections("n1", "n2");
  executor_.RunFor(kMs);
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_TRUE(absl::IsUnavailable(Call("x", kSecond, kMs).value().status()));
}

TEST_F(PeerTransportTest, TooManyRequestsAreTurnedAway) {
  Connect({.max_calls = 3});
  a_->transport().SetPeer(NodeId(2), "n2:8400");
  std::vector<PeerResponder> responders;
  b_->on_request = [&](uint16_t, std::string, PeerResponder responder) {
    responders.push_back(std::move(responder));
  };
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Call("x", 60 * kSecond, kMs * 10), std::nullopt);
  const absl::Status status = Call("x").value().status();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_EQ(base::GetErrorInfo(status)->reason, "OVERLOADED");
}

TEST_F(PeerTransportTest, AStrangerWithoutAnIdentityMayCallAnAddress) {
  Connect();
  const auto joiner =
      NewNode(3, {.identity = {.node_uuid = base::Uuid::FromRandom(3, 3), .name = "n3"}});
  std::optional<absl::StatusOr<std::string>> result;
  joiner->transport().CallAddress(b_->address(), 1, "join", kSecond,
                                  [&](absl::StatusOr<std::string> r) { result = std::move(r); });
  executor_.RunFor(kSecond / 2);
  EXPECT_EQ(result.value().value(), "1:join");
  EXPECT_EQ(b_->requester, joiner->identity());
  result.reset();
  joiner->transport().CallAddress("nowhere:1", 1, "join", kSecond,
                                  [&](absl::StatusOr<std::string> r) { result = std::move(r); });
  executor_.RunFor(kSecond / 2);
  EXPECT_TRUE(absl::IsUnavailable(result.value().status())) << result->status();
  // Now it has been told who it is.
  PeerIdentity identity = joiner->identity();
  identity.cluster = kCluster;
  identity.node = NodeId(3);
  joiner->transport().SetPeer(NodeId(2), b_->address());
  executor_.RunFor(kSecond);
  EXPECT_FALSE(joiner->transport().Send(NodeId(2), GroupId(1), ProbeOf(1)));
  EXPECT_THAT(b_->rejections, testing::Contains(PeerRejection::kNotAllowed));
  joiner->transport().UpdateIdentity(identity);
  executor_.RunFor(kSecond / 10);
  EXPECT_TRUE(joiner->transport().Send(NodeId(2), GroupId(1), ProbeOf(2)));
  executor_.RunFor(kSecond / 10);
  EXPECT_THAT(b_->probes, ElementsAre(2));
  EXPECT_EQ(b_->last_from, NodeId(3));
}

TEST_F(PeerTransportTest, AnUnansweredDialledCallTimesOut) {
  Connect();
  fabric_.CutBoth("n1", "n2");
  absl::Status status;
  const int64_t start_ns = clock_.MonotonicNs();
  int64_t end_ns = 0;
  a_->transport().CallAddress(b_->address(), 1, "x", kSecond, [&](auto r) {
    status = r.status();
    end_ns = clock_.MonotonicNs();
  });
  executor_.RunFor(10 * kSecond);
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_EQ(end_ns - start_ns, kSecond);
}

}  // namespace
}  // namespace cairn::consensus
