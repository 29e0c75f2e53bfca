#include "security/casbin/role_graph.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "security/casbin/limits.h"

namespace cairn::security::casbin {

std::span<const Symbol> RoleGraph::RolesOf(Symbol name, Symbol domain) const {
  const auto found = nodes_.find(Key(domain, name));
  if (found == nodes_.end()) return {};
  const uint32_t begin = first_[found->second];
  return std::span(roles_).subspan(begin, first_[found->second + 1] - begin);
}

bool RoleGraph::HasRole(Symbol name, Symbol role, Symbol domain) const {
  if (name == role) return true;
  const std::span<const Symbol> roles = RolesOf(name, domain);
  return std::binary_search(roles.begin(), roles.end(), role);
}

uint32_t RoleGraphBuilder::Node(Symbol name, Symbol domain) {
  const auto [found, fresh] =
      graph_.nodes_.try_emplace(RoleGraph::Key(domain, name), static_cast<uint32_t>(names_.size()));
  if (fresh) {
    names_.push_back(name);
    links_.emplace_back();
  }
  return found->second;
}

void RoleGraphBuilder::AddLink(Symbol name, Symbol role, Symbol domain) {
  const uint32_t from = Node(name, domain);
  const uint32_t to = Node(role, domain);
  links_[from].push_back(to);
}

absl::StatusOr<RoleGraph> RoleGraphBuilder::Build() && {
  constexpr uint32_t kNever = ~uint32_t{0};
  std::vector<uint32_t> reached_by(names_.size(), kNever);
  std::vector<uint32_t> order;  // breadth first, so that each node is met on its shortest way
  size_t steps = 0;
  for (uint32_t start = 0; start < names_.size(); ++start) {
    graph_.first_.push_back(static_cast<uint32_t>(graph_.roles_.size()));
    order.assign(1, start);
    reached_by[start] = start;
    size_t level_begin = 0;
    for (int depth = 0; depth < kMaxRoleDepth && level_begin < order.size(); ++depth) {
      const size_t level_end = order.size();
      for (; level_begin < level_end; ++level_begin) {
        for (const uint32_t next : links_[order[level_begin]]) {
          ++steps;
          if (std::exchange(reached_by[next], start) != start) order.push_back(next);
        }
        if (steps > kMaxRoleSteps || graph_.roles_.size() + order.size() > kMaxInheritedRoles) {
          return absl::ResourceExhaustedError(
              absl::StrCat("the roles of all names together are more than ", kMaxInheritedRoles));
        }
      }
    }
    const size_t begin = graph_.roles_.size();
    for (const uint32_t node : order) graph_.roles_.push_back(names_[node]);
    std::sort(graph_.roles_.begin() + static_cast<ptrdiff_t>(begin), graph_.roles_.end());
  }
  graph_.first_.push_back(static_cast<uint32_t>(graph_.roles_.size()));
  return std::move(graph_);
}

}  // namespace cairn::security::casbin
