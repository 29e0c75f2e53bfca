#include "process/network_lab.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <sstream>

#include "process/child_process.h"

namespace cairn::testing {
namespace {

// Of the addresses set aside for measurements of networks (RFC 2544), so that none of the machine's
// is hidden.
constexpr char kNetwork[] = "198.18.77.";
constexpr char kOurHost[] = "254";

FinishedProcess Run(const std::vector<std::string>& command) { return RunCommand(command); }

void MustRun(const std::vector<std::string>& command) {
  const FinishedProcess done = Run(command);
  std::string line;
  for (const std::string& word : command) line += word + " ";
  EXPECT_EQ(done.exit_code, 0) << line << ": " << done.err;
}

}  // namespace

std::string NetworkLab::WhyNot() {
  if (geteuid() != 0) return "network namespaces take root";
  const std::string name = "cairn" + std::to_string(getpid()) + "x";
  const FinishedProcess added = Run({"ip", "netns", "add", name});
  if (added.exit_code != 0) return "ip netns add: " + added.err;
  const FinishedProcess table =
      Run({"ip", "netns", "exec", name, "nft", "add", "table", "inet", "cairn"});
  const FinishedProcess link = Run({"ip", "-n", name, "link", "add", "br0", "type", "bridge"});
  Run({"ip", "netns", "del", name});
  if (table.exit_code != 0) return "nft in a namespace: " + table.err;
  if (link.exit_code != 0) return "a bridge in a namespace: " + link.err;
  return "";
}

NetworkLab::NetworkLab(size_t nodes) : nodes_(nodes), id_("crn" + std::to_string(getpid())) {
  Remove();
  MustRun({"ip", "link", "add", id_ + "b", "type", "bridge"});
  MustRun({"ip", "addr", "add", std::string(kNetwork) + kOurHost + "/24", "dev", id_ + "b"});
  MustRun({"ip", "link", "set", id_ + "b", "up"});
  for (size_t node = 0; node < nodes_; ++node) {
    const std::string space = NamespaceOf(node);
    const std::string outside = id_ + "v" + std::to_string(node);
    MustRun({"ip", "netns", "add", space});
    MustRun({"ip", "link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", space});
    MustRun({"ip", "link", "set", outside, "master", id_ + "b", "up"});
    MustRun({"ip", "-n", space, "addr", "add", AddressOf(node) + "/24", "dev", "eth0"});
    MustRun({"ip", "-n", space, "link", "set", "eth0", "up"});
    MustRun({"ip", "-n", space, "link", "set", "lo", "up"});
    MustRun({"ip", "netns", "exec", space, "nft",
             "add table inet cairn; add chain inet cairn in "
             "{ type filter hook input priority 0; policy accept; }"});
  }
}

NetworkLab::~NetworkLab() { Remove(); }

void NetworkLab::Remove() {
  // Those of tests that were killed: their process is gone.
  std::istringstream names(Run({"ip", "netns", "list"}).out);
  for (std::string line; std::getline(names, line);) {
    int pid = 0;
    if (std::sscanf(line.c_str(), "crn%dn", &pid) != 1 || kill(pid, 0) == 0) continue;
    Run({"ip", "netns", "del", line.substr(0, line.find(' '))});
    Run({"ip", "link", "del", "crn" + std::to_string(pid) + "b"});
  }
  for (size_t node = 0; node < nodes_; ++node) {
    Run({"ip", "link", "del", id_ + "v" + std::to_string(node)});  // its other end goes with it
    Run({"ip", "netns", "del", NamespaceOf(node)});
  }
  Run({"ip", "link", "del", id_ + "b"});
}

std::string NetworkLab::NamespaceOf(size_t node) const { return id_ + "n" + std::to_string(node); }

std::vector<std::string> NetworkLab::PrefixOf(size_t node) const {
  return {"ip", "netns", "exec", NamespaceOf(node)};
}

std::string NetworkLab::AddressOf(size_t node) const { return kNetwork + std::to_string(node + 1); }

void NetworkLab::CutOneWay(size_t from, size_t to) {
  MustRun({"ip", "netns", "exec", NamespaceOf(to), "nft", "add", "rule", "inet", "cairn", "in",
           "ip", "saddr", AddressOf(from), "drop"});
}

void NetworkLab::Isolate(size_t node) {
  for (size_t other = 0; other < nodes_; ++other) {
    if (other == node) continue;
    CutOneWay(node, other);
    CutOneWay(other, node);
  }
}

void NetworkLab::Heal() {
  for (size_t node = 0; node < nodes_; ++node) {
    MustRun(
        {"ip", "netns", "exec", NamespaceOf(node), "nft", "flush", "chain", "inet", "cairn", "in"});
  }
}

}  // namespace cairn::testing
