// How deep a name stands below the roots of its roles, which is its priority under subjectPriority.
// Pure.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "security/casbin/symbol_table.h"

namespace cairn::security::casbin {

using DomainName = std::pair<Symbol, Symbol>;        // domain, name
using RoleLink = std::pair<DomainName, DomainName>;  // a name and a role it has

// The longest way from each name up to a role that has none itself; names without links have no
// entry, which is 0. Errors: INVALID_ARGUMENT for roles in a circle.
absl::StatusOr<absl::flat_hash_map<DomainName, uint32_t>> SubjectDepths(
    const std::vector<RoleLink>& links);

}  // namespace cairn::security::casbin
