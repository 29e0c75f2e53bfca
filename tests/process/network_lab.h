// Network namespaces of our own on one bridge, one for each node, between which traffic can be cut,
// in both directions or in one. For tests; takes root, `ip` and `nft`.
//
// The test itself stands on the bridge: it reaches every node, whatever is cut between them.
#pragma once

#include <string>
#include <vector>

namespace cairn::testing {

class NetworkLab {
 public:
  // Why there can be no lab here; empty when there can.
  static std::string WhyNot();

  // Removes what a test that was killed has left of the same names, then makes everything.
  explicit NetworkLab(size_t nodes);
  ~NetworkLab();
  NetworkLab(const NetworkLab&) = delete;
  NetworkLab& operator=(const NetworkLab&) = delete;

  // What stands before a command that is to run as `node`, and the address it has there.
  std::vector<std::string> PrefixOf(size_t node) const;
  std::string AddressOf(size_t node) const;

  // What `from` sends does not arrive at `to` any more.
  void CutOneWay(size_t from, size_t to);
  // Nothing passes between the node and the others.
  void Isolate(size_t node);
  // Everything passes again.
  void Heal();

 private:
  std::string NamespaceOf(size_t node) const;
  void Remove();

  const size_t nodes_;
  std::string id_;  // of this process, so that labs do not meet
};

}  // namespace cairn::testing
