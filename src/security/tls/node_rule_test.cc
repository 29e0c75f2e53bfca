#include "security/tls/node_rule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn::security {
namespace {

using testing::HasSubstr;

PeerCertificate Node(std::string common_name, std::vector<std::string> dns_names = {}) {
  PeerCertificate certificate;
  certificate.common_name = std::move(common_name);
  certificate.dns_names = std::move(dns_names);
  certificate.has_usage = true;
  return certificate;
}

std::string Refusal(const PeerCertificate& certificate, const NodeRule& rule = {}) {
  const absl::Status checked = CheckNodeCertificate(certificate, rule);
  return std::string(checked.message());
}

TEST(NodeRuleTest, ANodeIsServerAndClientBoth) {
  EXPECT_EQ(Refusal(Node("n1")), "");
  PeerCertificate client = Node("alice");
  client.may_be_server = false;
  EXPECT_THAT(Refusal(client), HasSubstr("lacks serverAuth"));
  PeerCertificate server = Node("www");
  server.may_be_client = false;
  EXPECT_THAT(Refusal(server), HasSubstr("lacks clientAuth"));
}

TEST(NodeRuleTest, WhatMayBeAnythingIsANodeOnlyByName) {
  PeerCertificate anything = Node("n1");
  anything.has_usage = false;
  EXPECT_THAT(Refusal(anything), HasSubstr("no extended key usage"));
  EXPECT_EQ(Refusal(anything, {.names = {"n1"}}), "");
}

TEST(NodeRuleTest, NamesAreThoseOfTheCertificate) {
  const NodeRule rule = {.names = {"node-*.example", "n1"}};
  EXPECT_EQ(Refusal(Node("n1"), rule), "");
  EXPECT_EQ(Refusal(Node("x", {"y", "node-7.example"}), rule), "");
  EXPECT_EQ(Refusal(Node("node-.example"), rule), "");
  for (const char* name : {"n2", "n", "n11", "", "node-7.a.example", "node-7.example.org"}) {
    EXPECT_THAT(Refusal(Node(name), rule), HasSubstr("no name of it is among --peer-names"))
        << name;
  }
  PeerCertificate client = Node("n1");
  client.may_be_server = false;
  EXPECT_THAT(Refusal(client, rule), HasSubstr("lacks serverAuth"));
}

}  // namespace
}  // namespace cairn::security
