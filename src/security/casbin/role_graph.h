// Who has which role: the rows of one `g` as links, per domain, followed up to ten links far
// (kMaxRoleDepth, as in Casbin). Built once by RoleGraphBuilder, then immutable and read by any
// thread.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "security/casbin/symbol_table.h"

namespace cairn::security::casbin {

class RoleGraph {
 public:
  // `name` itself and every role it has in `domain`, sorted; empty when no link of the domain names
  // it. Valid as long as the graph.
  std::span<const Symbol> RolesOf(Symbol name, Symbol domain) const;

  // Casbin's g(name, role, domain) for a name and a role of the symbol table. A name is its own
  // role.
  bool HasRole(Symbol name, Symbol role, Symbol domain) const;

 private:
  friend class RoleGraphBuilder;
  using Key = std::pair<Symbol, Symbol>;  // domain, name

  absl::flat_hash_map<Key, uint32_t> nodes_;
  std::vector<uint32_t> first_;  // roles of node i: roles_[first_[i], first_[i + 1])
  std::vector<Symbol> roles_;
};

class RoleGraphBuilder {
 public:
  // In `domain`, `name` has `role`. Roles without domains use one symbol for all links.
  void AddLink(Symbol name, Symbol role, Symbol domain);

  // Follows all links. Errors: RESOURCE_EXHAUSTED when names have more roles together than
  // kMaxInheritedRoles.
  absl::StatusOr<RoleGraph> Build() &&;

 private:
  uint32_t Node(Symbol name, Symbol domain);

  RoleGraph graph_;
  std::vector<Symbol> names_;                 // of each node
  std::vector<std::vector<uint32_t>> links_;  // from each node
};

}  // namespace cairn::security::casbin
