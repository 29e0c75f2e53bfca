#include "security/casbin/subject_hierarchy.h"

#include <algorithm>

#include "absl/status/status.h"

namespace cairn::security::casbin {

absl::StatusOr<absl::flat_hash_map<DomainName, uint32_t>> SubjectDepths(
    const std::vector<RoleLink>& links) {
  absl::flat_hash_map<DomainName, std::vector<DomainName>> members;
  absl::flat_hash_map<DomainName, size_t> open_roles;
  for (const auto& [name, role] : links) {
    members[role].push_back(name);
    ++open_roles[name];
    open_roles.try_emplace(role, 0);
  }
  // From the roots down; a name is ready when all its roles are (Kahn's order).
  absl::flat_hash_map<DomainName, uint32_t> depths;
  std::vector<DomainName> ready;
  for (const auto& [name, count] : open_roles) {
    if (count == 0) ready.push_back(name);
  }
  size_t done = 0;
  while (!ready.empty()) {
    const DomainName role = ready.back();
    ready.pop_back();
    ++done;
    const uint32_t depth = depths[role];
    for (const DomainName& name : members[role]) {
      uint32_t& own = depths[name];
      own = std::max(own, depth + 1);
      if (--open_roles[name] == 0) ready.push_back(name);
    }
  }
  if (done != open_roles.size()) {
    return absl::InvalidArgumentError("roles in a circle have no order for subjectPriority");
  }
  return depths;
}

}  // namespace cairn::security::casbin
