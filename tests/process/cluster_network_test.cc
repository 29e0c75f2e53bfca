// A cluster under load on a network that is cut: both ways, one way, around the leader and around a
// follower. Nothing that was acknowledged is lost, doubled or reordered.

#include <gtest/gtest.h>

#include <ctime>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "process/await.h"
#include "process/cluster_load.h"
#include "process/cluster_process.h"
#include "process/network_lab.h"
#include "process/node_client.h"
#include "security/tls/certificate_authority.h"

namespace cairn::testing {
namespace {

constexpr size_t kNodes = 3;
constexpr size_t kSome = 200;

class ClusterNetworkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = NetworkLab::WhyNot(); !why.empty()) GTEST_SKIP() << why;
    lab_ = std::make_unique<NetworkLab>(kNodes);
    ClusterOptions options{.nodes = kNodes, .prefixes = {}, .flags = {}};
    for (size_t node = 0; node < kNodes; ++node) {
      options.prefixes.push_back(lab_->PrefixOf(node));
      options.flags.push_back({"--bind-addr", lab_->AddressOf(node) + ":8401", "--insecure"});
      const std::vector<std::string> more = MoreFlags(node);
      options.flags.back().insert(options.flags.back().end(), more.begin(), more.end());
    }
    cluster_ = std::make_unique<ClusterProcess>(options);
    ASSERT_NO_FATAL_FAILURE(cluster_->Start());
  }

  virtual std::vector<std::string> MoreFlags(size_t /*node*/) { return {}; }

  std::unique_ptr<NetworkLab> lab_;  // outlives the processes in it
  std::unique_ptr<ClusterProcess> cluster_;
  History history_;
};

TEST_F(ClusterNetworkTest, TheMajorityGoesOnWithoutALeaderThatIsCutOff) {
  ClusterLoad load({.addresses = cluster_->addresses()}, history_);
  for (int round = 0; round < 3 && !HasFailure(); ++round) {
    load.AwaitAcknowledged(kSome);
    const size_t leader = cluster_->AwaitLeader();
    lab_->Isolate(leader);
    const size_t next = cluster_->AwaitLeader({leader});
    EXPECT_NE(next, leader);
    load.AwaitAcknowledged(kSome);
    // The one that was cut off answers its clients that it cannot: it does not leave them hanging.
    NodeClient minority(cluster_->node(leader).address());
    logapi::v1::ProduceRequest request;
    request.set_topic("default");
    request.set_expected_offset(uint64_t{1} << 60);  // never stored
    request.mutable_record()->set_value("x");
    EXPECT_TRUE(Await([&] { return absl::IsUnavailable(minority.Produce(request).status()); }))
        << "a minority has to refuse";
    const auto read = minority.Consume("default", 0, 10);
    EXPECT_TRUE(read.ok() && !read->records().empty()) << read.status();
    lab_->Heal();
    load.AwaitAcknowledged(kSome);
  }
  load.Finish();
  cluster_->ExpectConsistent(history_);
}

TEST_F(ClusterNetworkTest, AFollowerThatWasCutOffDisturbsNobodyAndCatchesUp) {
  ClusterLoad load({.addresses = cluster_->addresses()}, history_);
  load.AwaitAcknowledged(kSome);
  const size_t leader = cluster_->AwaitLeader();
  lab_->Isolate(cluster_->OtherThan(leader));
  load.AwaitAcknowledged(2 * kSome);
  lab_->Heal();
  load.AwaitAcknowledged(kSome);
  load.Finish();
  cluster_->ExpectConsistent(history_);
}

TEST_F(ClusterNetworkTest, ALeaderThatIsNotHeardIsReplaced) {
  ClusterLoad load({.addresses = cluster_->addresses()}, history_);
  load.AwaitAcknowledged(kSome);
  const size_t leader = cluster_->AwaitLeader();
  for (size_t node = 0; node < kNodes; ++node) {
    if (node != leader) lab_->CutOneWay(leader, node);
  }
  EXPECT_NE(cluster_->AwaitLeader({leader}), leader);
  load.AwaitAcknowledged(kSome);
  lab_->Heal();
  load.AwaitAcknowledged(kSome);
  load.Finish();
  cluster_->ExpectConsistent(history_);
}

TEST_F(ClusterNetworkTest, ALeaderThatHearsNobodyStepsDown) {
  ClusterLoad load({.addresses = cluster_->addresses()}, history_);
  load.AwaitAcknowledged(kSome);
  const size_t leader = cluster_->AwaitLeader();
  for (size_t node = 0; node < kNodes; ++node) {
    if (node != leader) lab_->CutOneWay(node, leader);
  }
  EXPECT_NE(cluster_->AwaitLeader({leader}), leader);
  load.AwaitAcknowledged(kSome);
  lab_->Heal();
  load.AwaitAcknowledged(kSome);
  load.Finish();
  cluster_->ExpectConsistent(history_);
}

TEST_F(ClusterNetworkTest, ACutBetweenTwoNodesStopsNobodyForLong) {
  ClusterLoad load({.addresses = cluster_->addresses()}, history_);
  for (size_t node = 0; node < kNodes && !HasFailure(); ++node) {
    load.AwaitAcknowledged(kSome);
    const size_t other = (node + 1) % kNodes;
    lab_->CutOneWay(node, other);
    lab_->CutOneWay(other, node);
    load.AwaitAcknowledged(kSome);
    lab_->Heal();
  }
  load.AwaitAcknowledged(kSome);
  load.Finish();
  cluster_->ExpectConsistent(history_);
}

// The nodes show each other certificates.
class SecureClusterNetworkTest : public ClusterNetworkTest {
 protected:
  SecureClusterNetworkTest() { Write("ca.pem", authority_.certificate); }

  std::vector<std::string> MoreFlags(size_t node) override {
    Issue(node);
    return {"--peer-tls-cert-file", File(node, ".pem"),   "--peer-tls-key-file",
            File(node, "-key.pem"), "--peer-tls-ca-file", scratch_ / "ca.pem"};
  }
  void Issue(size_t node) {
    const security::PemPair pair =
        security::IssueCertificate(authority_, {.common_name = ClusterProcess::NameOf(node),
                                                .hosts = {lab_->AddressOf(node)},
                                                .server = true,
                                                .not_before_s = now_s_ - 3600,
                                                .not_after_s = now_s_ + 3600})
            .value();
    Write(ClusterProcess::NameOf(node) + ".pem", pair.certificate);
    Write(ClusterProcess::NameOf(node) + "-key.pem", pair.key);
  }

 private:
  std::string File(size_t node, const std::string& suffix) const {
    return scratch_ / (ClusterProcess::NameOf(node) + suffix);
  }
  void Write(const std::string& name, const std::string& content) const {
    std::ofstream(scratch_ / name) << content;
  }

  const int64_t now_s_ = std::time(nullptr);
  const security::PemPair authority_ =
      security::MakeAuthority("lab", now_s_ - 3600, now_s_ + 3600).value();
  const ScratchDir scratch_;
};

TEST_F(SecureClusterNetworkTest, GoesOnThroughCutsWhileCertificatesAreReplaced) {
  ClusterLoad load({.addresses = cluster_->addresses()}, history_);
  for (size_t round = 1; round <= 2 && !HasFailure(); ++round) {
    load.AwaitAcknowledged(kSome);
    const size_t leader = cluster_->AwaitLeader();
    lab_->Isolate(leader);
    cluster_->AwaitLeader({leader});
    load.AwaitAcknowledged(kSome);
    // The connections that are made when it is back show the new ones.
    for (size_t node = 0; node < kNodes; ++node) {
      Issue(node);
      EXPECT_TRUE(Await([&] {
        const std::string log = cluster_->node(node).log();
        size_t reloads = 0;
        for (size_t at = 0; (at = log.find("certificates reloaded", at)) != std::string::npos;
             ++at) {
          ++reloads;
        }
        return reloads >= round;
      })) << cluster_->node(node).events();
    }
    lab_->Heal();
    load.AwaitAcknowledged(kSome);
  }
  load.Finish();
  cluster_->ExpectConsistent(history_);
}

}  // namespace
}  // namespace cairn::testing
