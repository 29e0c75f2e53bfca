// Nodes with a transport each on a simulated network, for the tests of PeerTransport.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "consensus/peer_transport.h"
#include "consensus/stranger_testing.h"
#include "env/sim_clock.h"
#include "env/sim_executor.h"
#include "env/sim_network.h"
#include "env/sim_random.h"
#include "env/slice.h"

namespace cairn::consensus {

inline constexpr int64_t kMs = 1'000'000;
inline constexpr int64_t kSecond = 1000 * kMs;

inline const base::Uuid kCluster = base::Uuid::FromRandom(1, 1);

inline Message ProbeOf(uint64_t sequence) { return Probe{Term(1), sequence}; }

inline log::Entry EntryOf(uint64_t index, size_t body_bytes) {
  return log::MakeControlEntry(log::EntryKind::kConfiguration,
                               std::string(body_bytes, static_cast<char>('a' + index % 26)),
                               Index(index), Term(1), Offset(0), 0);
}
inline Message AppendOf(uint64_t index, size_t body_bytes) {
  AppendEntries message{.term = Term(1), .prev_index = Index(index - 1), .prev_term = Term(1)};
  message.entries.push_back(EntryOf(index, body_bytes));
  message.count = 1;
  return message;
}

// One node: a host of the fabric with a transport behind a listener.
class TransportNode : public PeerTransport::Handler {
 public:
  TransportNode(env::SimNetwork& fabric, env::SimExecutor& executor, env::SimClock& clock,
                env::SimRandom& random, int id, PeerTransport::Options options = {})
      : executor_(executor),
        name_(base::StrCat("n", id)),
        network_(fabric.AddHost(name_, executor)),
        dialer_(*network_) {
    if (options.identity.node_uuid.is_nil()) {
      options.identity = {.cluster = kCluster,
                          .node_uuid = base::Uuid::FromRandom(2, static_cast<uint64_t>(id)),
                          .node = NodeId(id),
                          .name = name_,
                          .address = address()};
    }
    identity_ = options.identity;
    transport_ = std::make_unique<PeerTransport>(
        PeerTransport::Dependencies{&executor, &clock, &random, &dialer_, this},
        std::move(options));
    listener_ = network_->Listen(address()).value();
    AcceptNext();
  }
  ~TransportNode() override {
    bool stopped = false;
    transport_->Stop([&] { stopped = true; });
    executor_.RunFor(kMs);
    EXPECT_TRUE(stopped);
    transport_.reset();
    listener_.reset();
    executor_.RunFor(kMs);
  }

  std::string address() const { return name_ + ":8400"; }
  PeerTransport& transport() { return *transport_; }
  env::Network& network() { return *network_; }
  const PeerIdentity& identity() const { return identity_; }

  absl::Status ValidatePeer(const PeerIdentity& peer, PeerPurpose) override {
    return validate ? validate(peer) : absl::OkStatus();
  }
  void OnMessage(NodeId from, GroupId group, Message message) override {
    if (const auto* probe = std::get_if<Probe>(&message)) {
      probes.push_back(probe->sequence);
    }
    last_from = from;
    last_group = group;
    messages.push_back(std::move(message));
  }
  void OnRequest(const PeerIdentity& from, uint16_t method, std::string payload,
                 PeerResponder responder) override {
    requester = from;
    if (on_request) return on_request(method, std::move(payload), std::move(responder));
    responder.Respond(base::StrCat(method, ":", payload));
  }
  void OnPeerUp(const PeerIdentity& peer) override { ups.push_back(peer.node.value()); }
  void OnPeerDown(NodeId peer, const absl::Status&) override { downs.push_back(peer.value()); }
  void OnRejected(PeerRejection kind, const std::string&, const absl::Status& why) override {
    rejections.push_back(kind);
    why_rejected = why;
  }

  std::function<absl::Status(const PeerIdentity&)> validate;
  std::function<void(uint16_t, std::string, PeerResponder)> on_request;
  std::vector<Message> messages;
  std::vector<uint64_t> probes;
  NodeId last_from;
  GroupId last_group;
  PeerIdentity requester;
  std::vector<int> ups;
  std::vector<int> downs;
  std::vector<PeerRejection> rejections;
  absl::Status why_rejected;

 private:
  void AcceptNext() {
    listener_->Accept([this](absl::StatusOr<std::unique_ptr<env::Connection>> accepted) {
      if (!accepted.ok()) return;
      // As the multiplexer does: reads the first byte, perhaps with more behind it.
      auto connection = std::make_shared<std::unique_ptr<env::Connection>>(*std::move(accepted));
      auto first = std::make_shared<std::string>(24, '\0');
      env::Connection& reader = **connection;
      reader.Read(*first, [this, connection, first](absl::StatusOr<size_t> size) {
        if (!size.ok() || *size == 0) return;
        transport_->Accept(std::move(*connection), first->substr(0, *size));
      });
      AcceptNext();
    });
  }

  env::SimExecutor& executor_;
  const std::string name_;
  std::unique_ptr<env::Network> network_;
  PlainDialer dialer_;
  PeerIdentity identity_;
  std::unique_ptr<PeerTransport> transport_;
  std::unique_ptr<env::Listener> listener_;
};

class PeerTransportTest : public testing::Test {
 protected:
  std::unique_ptr<TransportNode> NewNode(int id, PeerTransport::Options options = {}) {
    return std::make_unique<TransportNode>(fabric_, executor_, clock_, random_, id,
                                           std::move(options));
  }
  // Two nodes that know each other.
  void Connect(PeerTransport::Options options = {}) {
    a_ = NewNode(1, options);
    b_ = NewNode(2, options);
    a_->transport().SetPeer(NodeId(2), b_->address());
    b_->transport().SetPeer(NodeId(1), a_->address());
    executor_.RunFor(100 * kMs);
    ASSERT_THAT(a_->ups, testing::ElementsAre(2));
    ASSERT_THAT(b_->ups, testing::ElementsAre(1));
  }
  bool Probe(uint64_t sequence) {
    return a_->transport().Send(NodeId(2), GroupId(7), ProbeOf(sequence));
  }
  // The outcome of a call from a to b, after `wait_ns`.
  std::optional<absl::StatusOr<std::string>> Call(std::string payload, int64_t timeout_ns = kSecond,
                                                  int64_t wait_ns = kSecond) {
    auto result = std::make_shared<std::optional<absl::StatusOr<std::string>>>();
    a_->transport().Call(NodeId(2), 5, std::move(payload), timeout_ns,
                         [result](absl::StatusOr<std::string> r) { *result = std::move(r); });
    executor_.RunFor(wait_ns);
    return *result;
  }
  // Sends `bytes` to b, as a stranger; what b answers, and whether it closed the connection.
  std::pair<std::string, bool> Stranger(std::string bytes, bool close = false) {
    const auto network = fabric_.AddHost("stranger", executor_);
    std::unique_ptr<env::Connection> connection;
    network->Connect(b_->address(), [&](auto c) { connection = std::move(c).value(); });
    executor_.RunFor(100 * kMs);
    connection->Write(std::move(bytes), [](const absl::Status&) {});
    executor_.RunFor(100 * kMs);
    if (close) connection->Close();
    std::string answer;
    bool closed = false;
    std::string buffer(10'000, '\0');
    std::function<void(absl::StatusOr<size_t>)> on_read = [&](absl::StatusOr<size_t> size) {
      closed = !size.ok() || *size == 0;
      if (closed) return;
      answer.append(buffer, 0, *size);
      connection->Read(buffer, on_read);
    };
    if (!close) connection->Read(buffer, on_read);
    executor_.RunFor(kSecond);
    const bool closed_by_b = closed;
    connection->Close();
    executor_.RunFor(kMs);
    return {answer, closed_by_b};
  }
  // With the byte that opens the connection.
  static std::string OpeningOf(const Hello& hello) {
    return std::string(1, kPeerFirstByte) + HelloBytes(hello);
  }
  Hello HelloToB() {
    return {.from = {.cluster = kCluster,
                     .node_uuid = base::Uuid::FromRandom(9, 9),
                     .node = NodeId(9),
                     .name = "stranger",
                     .address = "stranger:1"},
            .target = NodeId(2)};
  }
  static std::string Join(std::vector<env::Slice> slices) {
    std::string bytes;
    for (const env::Slice& slice : slices) bytes += slice.view();
    return bytes;
  }

  env::SimClock clock_;
  env::SimExecutor executor_{clock_};
  env::SimRandom random_{1};
  env::SimNetwork fabric_{clock_, executor_, random_};
  std::unique_ptr<TransportNode> a_;
  std::unique_ptr<TransportNode> b_;
};

}  // namespace cairn::consensus
